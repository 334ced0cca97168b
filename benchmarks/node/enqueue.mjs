/**
 * How fast one Node process makes tasks, beside BullMQ and Bee-Queue on the same Redis. No worker runs.
 *
 * Each round measures all three in turn, so that what else the machine does meets all of them; the ratio is the median
 * of the rounds, each to the better rival of its own round. `node enqueue.mjs [--quick]`.
 */

import BeeQueue from 'bee-queue';
import { Queue } from 'bullmq';
import { Doshit } from '../../node/dist/index.js';
import { median, PREFIX, withServer } from './stage.mjs';

const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 4 : 10;
const SINGLE = quick ? 500 : 2_000;
const BULK = quick ? 5_000 : 20_000;

/** Each makes `total` tasks of the same call: one after the other, each awaited; and with one call for all. */
function contestants(path) {
  const app = new Doshit({ redis: `unix://${path}`, prefix: PREFIX });
  const bull = new Queue('add', { connection: { path }, prefix: PREFIX });
  const bee = new BeeQueue('add', { redis: { path }, prefix: PREFIX, isWorker: false, getEvents: false });
  return {
    doshit: {
      one: (n) => app.enqueue('add', { a: n, b: 1 }),
      bulk: (all) => app.enqueueMany(all.map((args) => app.job('add', args))),
      close: () => app.close(),
    },
    bullmq: {
      one: (n) => bull.add('add', { a: n, b: 1 }),
      bulk: (all) => bull.addBulk(all.map((data) => ({ name: 'add', data }))),
      close: () => bull.close(),
    },
    'bee-queue': {
      one: (n) => bee.createJob({ a: n, b: 1 }).save(),
      bulk: (all) => bee.saveAll(all.map((data) => bee.createJob(data))),
      close: () => bee.close(),
    },
  };
}

const WAYS = {
  'one by one': {
    total: SINGLE,
    run: async ({ one }, total) => {
      for (let n = 0; n < total; n++) await one(n);
    },
  },
  'in bulk': {
    total: BULK,
    run: ({ bulk }, total) => bulk(Array.from({ length: total }, (_, n) => ({ a: n, b: 1 }))),
  },
};

async function compare(plain, all, way) {
  const { total, run } = WAYS[way];
  const rates = Object.fromEntries(Object.keys(all).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, one] of Object.entries(all)) {
      await plain.flushall();
      const start = performance.now();
      await run(one, total);
      rates[name].push(total / ((performance.now() - start) / 1000));
      await assertThere(plain, name, total);
    }
  }
  report(way, total, rates);
}

/** All were really made: what a rival writes of a task is a hash, or a field of one. */
async function assertThere(plain, name, total) {
  const keys = {
    doshit: () => plain.llen(`${PREFIX}:default:pending`),
    bullmq: () => plain.llen(`${PREFIX}:add:wait`),
    'bee-queue': () => plain.llen(`${PREFIX}:add:waiting`),
  };
  const made = await keys[name]();
  if (made !== total) throw new Error(`${name} has made ${made} of ${total} tasks`);
}

function report(way, total, { doshit, ...rivals }) {
  const ratios = doshit.map((rate, round) => rate / Math.max(...Object.values(rivals).map((rates) => rates[round])));
  console.log(`enqueue ${total.toLocaleString('en')} ${way}, tasks/s (median of ${ROUNDS} rounds)`);
  for (const [name, rates] of Object.entries({ doshit, ...rivals })) {
    console.log(`  ${name.padEnd(10)} ${Math.round(median(rates)).toLocaleString('en').padStart(8)}`);
  }
  const met = median(ratios) >= 1 ? 'met' : 'NOT met';
  console.log(`  ratio to the better rival: ${median(ratios).toFixed(2)} (target >= 1.0, ${met})\n`);
}

await withServer(async (plain, path, engine) => {
  console.log(`on ${engine}`);
  const all = contestants(path);
  for (const one of Object.values(all)) await WAYS['one by one'].run(one, 100); // warm
  for (const way of Object.keys(WAYS)) await compare(plain, all, way);
  for (const { close } of Object.values(all)) await close();
});
