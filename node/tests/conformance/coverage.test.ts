/** Holds that every edge and every printed command of the protocol has a case, and says how many cases there are. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cases, read } from './vectors.js';

test('every edge and every printed command of the protocol is a case', () => {
  const folders = ['values', 'commands', 'stories'].map((folder) => [folder, cases(folder)] as const);
  const all = folders.flatMap(([, found]) => [...found.values()]);
  const covered = new Set(all.map((one) => one.covers).filter(Boolean));
  assert.deepEqual([...covered].sort(), [...read('rows.json').rows].sort());
  const listed = folders.map(([folder, found]) => `${found.size} ${folder}`).join(', ');
  // The stories have no runner here yet.
  process.stdout.write(`conformance: ${all.length} cases, ${listed}; the stories are not run in Node yet\n`);
  assert.ok(all.length >= 80);
});
