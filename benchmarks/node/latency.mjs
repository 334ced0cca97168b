/**
 * How long an idle worker takes with one no-op task, from before it is enqueued until its producer has the result,
 * beside BullMQ and Bee-Queue on the same Redis. `node latency.mjs [--quick]`.
 */

import BeeQueue from 'bee-queue';
import { Queue, QueueEvents } from 'bullmq';
import { Doshit } from '../../node/dist/index.js';
import { median, NAMES, PREFIX, withConsumer, withServer } from './stage.mjs';

const quick = process.argv.includes('--quick');
const TASKS = quick ? 300 : 1_000;
// Not measured, the same for all: V8 goes on compiling what a process runs for its first two or three thousand tasks.
const WARM = quick ? 300 : 3_000;
const ROUNDS = quick ? 3 : 9;

const PRODUCERS = {
  doshit: async (path) => {
    const app = new Doshit({ redis: `unix://${path}`, prefix: PREFIX });
    return {
      call: async (args) => (await app.enqueue('add', args)).result({ timeout: 10 }),
      close: () => app.close(),
    };
  },
  bullmq: async (path) => {
    const queue = new Queue('add', { connection: { path }, prefix: PREFIX });
    const events = new QueueEvents('add', { connection: { path, maxRetriesPerRequest: null }, prefix: PREFIX });
    await events.waitUntilReady();
    return {
      call: async (args) => (await queue.add('add', args)).waitUntilFinished(events, 10_000),
      close: () => Promise.all([queue.close(), events.close()]),
    };
  },
  'bee-queue': async (path) => {
    const queue = new BeeQueue('add', { redis: { path }, prefix: PREFIX, isWorker: false });
    await queue.ready();
    // Its message is missed when it comes before save() has returned; such a call is left out of its times.
    const call = (args) =>
      new Promise((resolve, reject) => {
        const job = queue.createJob(args);
        const missed = setTimeout(resolve, 1_000);
        job.on('failed', reject).on('succeeded', (sum) => {
          clearTimeout(missed);
          resolve(sum);
        });
        job.save().catch(reject);
      });
    return { call, close: () => queue.close() };
  },
};

async function measure(name, plain, path) {
  await plain.flushall();
  return withConsumer(name, path, async () => {
    const producer = await PRODUCERS[name](path);
    const times = [];
    for (let n = -WARM; n < TASKS; n++) {
      const start = performance.now();
      const sum = await producer.call({ a: n, b: 1 });
      if (sum === undefined) continue;
      if (sum !== n + 1) throw new Error(`${name} answered ${sum} for ${n} + 1`);
      if (n >= 0) times.push(performance.now() - start);
    }
    await producer.close();
    return times.sort((a, b) => a - b);
  });
}

await withServer(async (plain, path, engine) => {
  console.log(`on ${engine}`);
  const p50 = Object.fromEntries(NAMES.map((name) => [name, []]));
  const p99 = Object.fromEntries(NAMES.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of NAMES) {
      const times = await measure(name, plain, path);
      p50[name].push(times[Math.floor(times.length / 2)]);
      p99[name].push(times[Math.floor(times.length * 0.99)]);
    }
  }
  console.log(`enqueue to result on an idle system, ms (median of ${ROUNDS} rounds of ${TASKS.toLocaleString('en')})`);
  for (const name of NAMES) {
    console.log(`  ${name.padEnd(10)} p50 ${median(p50[name]).toFixed(3)}   p99 ${median(p99[name]).toFixed(3)}`);
  }
  const ratios = p50.doshit.map((own, round) => own / Math.min(p50.bullmq[round], p50['bee-queue'][round]));
  const ratio = median(ratios);
  console.log(`  p50 to the better rival's: ${ratio.toFixed(2)} (target <= 1.0, ${ratio <= 1 ? 'met' : 'NOT met'})`);
});
