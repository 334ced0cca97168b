/** Sizes, durations, text of any bytes, and the tables: small pure functions keep their promises. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/_protocol/tables.js';
import { ConfigurationError } from '../../src/errors.js';
import { checkId } from '../../src/values/names.js';
import { sizeOf } from '../../src/values/sizes.js';
import * as states from '../../src/values/states.js';
import { bytesOf, textOf } from '../../src/values/text.js';
import { decimalSeconds, formatTimestamp } from '../../src/values/times.js';

test('sizes are read as people write them', () => {
  const read: [number | string, number][] = [
    [0, 0],
    ['64', 64],
    ['1.5 KB', 1500],
    ['200MB', 200_000_000],
    [' 64kib ', 65_536],
    ['2GiB', 2 ** 31],
  ];
  for (const [given, bytes] of read) assert.equal(sizeOf(given), bytes);
  for (const bad of [-1, 1.5, Number.NaN, 1e15, '', 'MB', '1XB', '٣MB', '1e3'])
    assert.throws(() => sizeOf(bad), RangeError);
});

test('durations are written so that a person can read them', () => {
  for (const [given, text] of [
    [10, '10'],
    [0.25, '0.25'],
    [0, '0'],
    [1e9, '1000000000'],
    [0.0004, '0'],
    [1.5, '1.5'],
  ] as const) {
    assert.equal(decimalSeconds(given), text);
  }
  for (const bad of [-1, Number.NaN, 1e10, '1' as unknown as number])
    assert.throws(() => decimalSeconds(bad), RangeError);
  assert.throws(() => formatTimestamp(new Date(Number.NaN)), RangeError);
});

test('an id of any bytes is text of its own, and comes back byte for byte', () => {
  const seen = new Set<string>();
  for (const hex of ['ff000afe', 'c3a4', 'c3', 'e0a080ff', 'f09f9880', 'eda080', '80', '']) {
    const bytes = Buffer.from(hex, 'hex');
    const text = textOf(bytes);
    seen.add(text);
    assert.deepEqual(Buffer.from(bytesOf(text)!), bytes);
  }
  assert.equal(seen.size, 8);
  assert.equal(bytesOf('\ud800'), undefined);
  assert.equal(checkId(textOf(Buffer.alloc(255, 0xff))).length, 255);
  assert.throws(() => checkId(textOf(Buffer.alloc(256, 0xff))), ConfigurationError);
});

test('the numbers of this package are those of the protocol', () => {
  const {
    BEAT,
    LEASE_MS,
    RESULT_TTL,
    FAILED_TTL,
    LOSSES,
    ARGS_CAP,
    RESULT_CAP,
    OUTPUT_CAP,
    REASON_CAP,
    TRACEBACK_CAP,
  } = states;
  const ours = [
    BEAT,
    LEASE_MS,
    RESULT_TTL,
    FAILED_TTL,
    LOSSES,
    ARGS_CAP,
    RESULT_CAP,
    OUTPUT_CAP,
    REASON_CAP,
    TRACEBACK_CAP,
  ];
  assert.deepEqual(
    ours,
    LIMITS.defaults.map(({ value }) => value),
  );
});
