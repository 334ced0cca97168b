/** The names of workers: no two starts share one, and a claim under one keeps the hash of a task small. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newWorkerId } from '../../src/worker/engine/membership.js';

for (const host of ['box', `order-processing-worker-6d4cf56db6-abcde.${'x'.repeat(200)}`, 'büro 1', '']) {
  test(`a worker id on '${host.slice(0, 12)}' says where and leaves room for a claim of 64 bytes`, () => {
    const [first, second] = [newWorkerId(host), newWorkerId(host)];
    assert.notEqual(first, second);
    assert.match(first, new RegExp(`^[A-Za-z0-9.-]+-${process.pid}-[0-9a-f]{6}$`));
    const longest = first.replace(`-${process.pid}-`, '-4194303-'); // the greatest that Linux gives
    assert.ok(Buffer.byteLength(`${longest}/99:9999999.200`) <= 64);
  });
}
