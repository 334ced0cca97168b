/** How many processes of their own for runs are started, and how many of them at once. */

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, test } from 'node:test';
import { Nursery } from '../../src/worker/isolated/nursery.js';
import { DEFAULTS } from '../../src/worker/settings.js';
import { KIND } from '../../src/worker/wire.js';
import { until } from '../helpers/until.js';
import { fileOf } from '../host/helper.js';

const CPUS = availableParallelism();
const SIZE = CPUS + 2;

/** Of processes that import this source. starting: how many had not greeted, each time that it could grow. */
function nurseryOf(source: string): { nursery: Nursery; starting: number[] } {
  const { outputCap, resultCap, reasonCap, tracebackCap } = DEFAULTS;
  const caps = { outputCap, resultCap, reasonCap, tracebackCap };
  const setup = { targets: [fileOf(source)], slots: 1, isAlone: true, ...caps };
  const starting: number[] = [];
  const look = () => starting.push([...nursery.lones].filter(({ isReady }) => !isReady).length);
  const nursery: Nursery = new Nursery(
    setup,
    { size: SIZE, recycleRuns: undefined },
    {
      output: () => {},
      unbegun: () => {},
      ended: (lone, how) => nursery.lost(lone, how),
      frames: (lone, frames) => {
        for (const [kind] of frames) if (kind === KIND.HELLO) nursery.greeted(lone);
        look();
      },
    },
    (why) => assert.fail(why),
    () => {},
  );
  after(() => nursery.stop());
  nursery.open();
  look();
  return { nursery, starting };
}

test('of many processes no more start at once than there are CPUs, and all of them come', async () => {
  const { nursery, starting } = nurseryOf('export const one = () => 1;');
  const ready = () => [...nursery.lones].filter(({ isReady }) => isReady).length;
  await until(() => ready() === SIZE, { what: 'all processes' });
  assert.equal(Math.max(...starting), CPUS);
  assert.equal(nursery.lones.size, SIZE);
});

test('processes that wait for something while they start do not keep the others from starting', async () => {
  const { nursery } = nurseryOf('await new Promise(() => setInterval(() => {}, 1000)); export const one = () => 1;');
  await until(() => nursery.lones.size === SIZE, { what: 'all processes, though none has greeted' });
});
