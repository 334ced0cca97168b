/**
 * One no-op worker: `node consumer.mjs doshit|isolated|bullmq|bee-queue SOCKET`. Ends with its stdin.
 *
 * All run in process but `isolated`, which is our command with isolated.mjs.
 */

import BeeQueue from 'bee-queue';
import { Worker } from 'bullmq';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Doshit } from '../../node/dist/index.js';
import { CONCURRENCY, PREFIX } from './stage.mjs';

const [, , name, path] = process.argv;

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));

const STARTS = {
  doshit: async () => {
    const app = new Doshit({ redis: `unix://${path}`, prefix: PREFIX });
    const worker = app.worker({ add: async ({ a, b }) => a + b }, { concurrency: CONCURRENCY });
    await worker.ready;
    return () => worker.stop();
  },
  isolated: async () => {
    const [main, tasks] = ['../../node/dist/cli/main.js', 'isolated.mjs'].map(pathOf);
    const words = [main, 'worker', tasks, '--redis', `unix://${path}`, '--prefix', PREFIX];
    const worker = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    await new Promise((resolve, reject) => {
      worker.stderr.setEncoding('utf8').on('data', (text) => text.includes(' serves ') && resolve());
      void exited.then(() => reject(new Error('the isolated worker has ended by itself')));
    });
    return () => {
      worker.kill();
      return exited;
    };
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
