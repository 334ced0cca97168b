/**
 * How fast one Node worker drains a queue of no-op tasks, beside BullMQ and Bee-Queue on the same Redis.
 *
 * All tasks are there before the worker starts; the clock runs from the first end to the last, so that nobody's start
 * counts. Each round measures all three in turn, each on a server that has just started: FLUSHALL leaves the memory of a
 * server as its predecessor has cut it up. The ratio is the median of the rounds, each to the better rival of its own
 * round. `node drain.mjs [--isolated] [--quick]`; with --isolated our runs have processes of their own, each of
 * which can be killed, as the command `doshit worker` gives them; the rivals run theirs in process.
 */

import BeeQueue from 'bee-queue';
import { Queue } from 'bullmq';
import { setTimeout as pause } from 'node:timers/promises';
import { Doshit } from '../../node/dist/index.js';
import { CONCURRENCY, median, PREFIX, RIVALS, shown, withConsumer, withServer } from './stage.mjs';

const quick = process.argv.includes('--quick');
const OURS = process.argv.includes('--isolated') ? 'isolated' : 'doshit';
const TARGET = OURS === 'isolated' ? 1.0 : 1.5;
const NAMES = [OURS, ...RIVALS];
const TOTAL = quick ? 20_000 : 100_000;
const ROUNDS = quick ? 3 : 9;
const CHUNK = 5_000;

const FILLS = {
  [OURS]: async (path) => {
    const app = new Doshit({ redis: `unix://${path}`, prefix: PREFIX, check: false });
    await inChunks((args) => app.enqueueMany(args.map((one) => app.job('add', one))));
    await app.close();
  },
  bullmq: async (path) => {
    const queue = new Queue('add', { connection: { path }, prefix: PREFIX });
    await inChunks((all) => queue.addBulk(all.map((data) => ({ name: 'add', data }))));
    await queue.close();
  },
  'bee-queue': async (path) => {
    const queue = new BeeQueue('add', { redis: { path }, prefix: PREFIX, isWorker: false, getEvents: false });
    await inChunks((all) => queue.saveAll(all.map((data) => queue.createJob(data))));
    await queue.close();
  },
};

const DONE = {
  [OURS]: async (plain) => TOTAL - (await plain.llen(`${PREFIX}:default:pending`)) - (await plain.llen(`${PREFIX}:default:executing`)),
  bullmq: (plain) => plain.zcard(`${PREFIX}:add:completed`),
  'bee-queue': (plain) => plain.scard(`${PREFIX}:add:succeeded`),
};

async function inChunks(push) {
  for (let from = 0; from < TOTAL; from += CHUNK) {
    await push(Array.from({ length: CHUNK }, (_, n) => ({ a: from + n, b: 1 })));
  }
}

let engine;
const measure = (name) =>
  withServer(async (plain, path, its) => {
    engine = its;
    await FILLS[name](path);
    return withConsumer(name, path, async () => {
      let first;
      for (;;) {
        const done = await DONE[name](plain);
        const now = performance.now();
        if (done > 0) first ??= { done, now };
        if (done >= TOTAL) return (done - first.done) / ((now - first.now) / 1000);
        await pause(20);
      }
    });
  });

const rates = Object.fromEntries(NAMES.map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const name of NAMES) rates[name].push(await measure(name));
}
const ratios = rates[OURS].map((rate, round) => rate / Math.max(rates.bullmq[round], rates['bee-queue'][round]));
console.log(`on ${engine}`);
console.log(`drain ${TOTAL.toLocaleString('en')} no-op tasks, concurrency ${CONCURRENCY}, tasks/s (median of ${ROUNDS})`);
for (const name of NAMES) console.log(`  ${name.padEnd(10)} ${shown(median(rates[name]))}`);
const ratio = median(ratios);
const met = ratio >= TARGET ? 'met' : 'NOT met';
console.log(`  ratio to the better rival: ${ratio.toFixed(2)} (target >= ${TARGET.toFixed(1)}, ${met})`);
