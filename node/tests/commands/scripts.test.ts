/** The generated scripts are what the protocol sends: their hashes are those of their texts. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { TRANSITIONS } from '../../src/_protocol/tables.js';
import { SCRIPTS } from '../../src/commands/index.js';

for (const script of Object.values(SCRIPTS)) {
  test(`the hash of ${script.name} is the hash of its text`, () => {
    assert.equal(createHash('sha1').update(script.source).digest('hex'), script.sha);
  });
}

test('every transition of the protocol has its script, and there is no other', () => {
  const names = TRANSITIONS.transitions.map(({ name }) => name);
  assert.deepEqual(Object.keys(SCRIPTS).sort(), [...names].sort());
});
