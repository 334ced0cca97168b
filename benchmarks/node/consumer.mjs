/** One no-op worker, in process: `node consumer.mjs doshit|bullmq|bee-queue SOCKET`. Ends with its stdin. */

import BeeQueue from 'bee-queue';
import { Worker } from 'bullmq';
import { Doshit } from '../../node/dist/index.js';
import { CONCURRENCY, PREFIX } from './stage.mjs';

const [, , name, path] = process.argv;

const STARTS = {
  doshit: async () => {
    const app = new Doshit({ redis: `unix://${path}`, prefix: PREFIX });
    const worker = app.worker({ add: async ({ a, b }) => a + b }, { concurrency: CONCURRENCY });
    await worker.ready;
    return () => worker.stop();
  },
  bullmq: async () => {
    const worker = new Worker('add', async ({ data: { a, b } }) => a + b, {
      connection: { path, maxRetriesPerRequest: null },
      prefix: PREFIX,
      concurrency: CONCURRENCY,
    });
    await worker.waitUntilReady();
    return () => worker.close();
  },
  'bee-queue': async () => {
    const queue = new BeeQueue('add', { redis: { path }, prefix: PREFIX, removeOnSuccess: false });
    queue.process(CONCURRENCY, async ({ data: { a, b } }) => a + b);
    await queue.ready();
    return () => queue.close(5000);
  },
};

const stop = await STARTS[name]();
console.log('ready');
process.stdin.resume().once('end', async () => {
  await stop();
  process.exit();
});
