/** The two executors of a worker as one. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Hearer } from '../../src/worker/engine/executor.js';
import { Processes } from '../../src/worker/processes.js';

type Parts = ConstructorParameters<typeof Processes>;

test('processes of their own are started once there is somebody to hear of them, and not while Redis is looked for', async () => {
  const told: string[] = [];
  const shared = {
    functions: new Map(),
    open: async () => void told.push('functions'),
    begin: () => told.push('hearer'),
  };
  const alone = { begin: () => told.push('hearer'), open: () => told.push('processes') };
  const both = new Processes(shared as unknown as Parts[0], alone as unknown as Parts[1], true);
  await both.open();
  assert.deepEqual(told, ['functions']);
  both.begin({} as Hearer);
  assert.deepEqual(told, ['functions', 'hearer', 'hearer', 'processes']);
});
