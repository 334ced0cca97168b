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

/** Of processes that import this source; not opened yet. */
function nurseryOf(source: string): Nursery {
  const { outputCap, resultCap, reasonCap, tracebackCap } = DEFAULTS;
  const caps = { outputCap, resultCap, reasonCap, tracebackCap };
  const setup = { targets: [fileOf(source)], slots: 1, isAlone: true, ...caps };
  const nursery: Nursery = new Nursery(
    setup,
    { size: SIZE, recycleRuns: undefined },
    {
      output: () => {},
      unbegun: () => {},
      ended: (lone, how) => nursery.lost(lone, how),
      frames: (lone, frames) => {
        for (const [kind] of frames) if (kind === KIND.HELLO) nursery.greeted(lone);
      },
    },
    (why) => assert.fail(why),
    () => {},
  );
  after(() => nursery.stop());
  return nursery;
}

test('of many processes as many start first as there are CPUs, and all of them come', async () => {
  const nursery = nurseryOf('export const one = () => 1;');
  nursery.open();
  assert.equal(nursery.lones.size, CPUS);
  const ready = () => [...nursery.lones].filter(({ isReady }) => isReady).length;
  await until(() => ready() === SIZE, { what: 'all processes' });
  assert.equal(nursery.lones.size, SIZE);
});

test('processes that wait for something while they start do not keep the others from starting', async () => {
  const nursery = nurseryOf('await new Promise(() => setInterval(() => {}, 1000)); export const one = () => 1;');
  nursery.open();
  await until(() => nursery.lones.size === SIZE, { what: 'all processes, though none has greeted' });
});
