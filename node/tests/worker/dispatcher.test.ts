/** A worker holds no more than it can begin soon, whatever its claims bring. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dispatcher } from '../../src/worker/engine/dispatcher.js';
import type { Executor, Lane } from '../../src/worker/engine/executor.js';
import type { Policies } from '../../src/worker/engine/policies.js';
import type { Run } from '../../src/worker/engine/run.js';

const SLOTS = { shared: 3, alone: 2 };

/** One that begins what there are slots for, and ends nothing. */
function busy(): Pick<Executor, 'slots' | 'free' | 'start'> {
  const begun = { shared: 0, alone: 0 };
  return {
    slots: (lane) => SLOTS[lane],
    free: (lane) => SLOTS[lane] - begun[lane],
    start: (jobs) => {
      for (const { lane } of jobs) begun[lane] += 1;
    },
  };
}

for (const lane of ['shared', 'alone'] as Lane[]) {
  test(`where both lanes are served, claims that bring only runs of lane ${lane} come to an end`, () => {
    const policies = { count: { shared: 1, alone: 1 } } as unknown as Policies;
    const dispatcher = new Dispatcher(busy() as Executor, policies, () => {});
    for (let room = dispatcher.room(); room > 0; room = dispatcher.room()) {
      dispatcher.add(Array.from({ length: room }, () => ({ lane }) as Run));
      dispatcher.dispatch();
      if (dispatcher.outstanding > 100) break;
    }
    assert.ok(dispatcher.outstanding >= SLOTS[lane]);
    assert.ok(dispatcher.outstanding <= SLOTS.shared + SLOTS.alone, `it holds ${dispatcher.outstanding}`);
  });
}
