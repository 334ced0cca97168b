/** Runs the value vectors: pure functions, each text or number in, a text or number out. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoff } from '../../src/values/backoff.js';
import { decodeArgs, decodeValue, encodeResult, NotJson } from '../../src/values/codec.js';
import { uuid7 } from '../../src/values/ids.js';
import { Keys } from '../../src/values/keys.js';
import { checkId, checkPrefix, checkQueue } from '../../src/values/names.js';
import { formatTimestamp, parseTimestamp } from '../../src/values/times.js';
import { cases, type Data, toBytes } from './vectors.js';

const CHECKS: Record<string, (text: string) => string> = { queue: checkQueue, prefix: checkPrefix, id: checkId };
// Args that are JSON, and wrong for their function only: what checks them is the worker's.
const BY_SIGNATURE = /a parameter|parameter is named|name the parameter|is no (number|text|whole number)$/;

const FILES: Record<string, (one: Data) => void> = {
  keys({ prefix, key, of, text }) {
    const found = (new Keys(prefix) as Data)[key];
    assert.equal(of === undefined ? found : (new Keys(prefix) as Data)[key](of), text);
  },
  timestamps({ moment, offset_minutes = 0, text, refused }) {
    if (refused) return assert.throws(() => parseTimestamp(text), RangeError);
    const [year, month, day, hour, minute, second, micros] = moment;
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    date.setUTCHours(hour, minute - offset_minutes, second, Math.floor(micros / 1000));
    assert.equal(formatTimestamp(date, micros % 1000), text);
    assert.deepEqual(parseTimestamp(text), date);
  },
  backoff({ attempt, first, factor, ceiling, seconds }) {
    assert.equal(backoff(attempt, first, { factor, ceiling }), seconds);
  },
  names({ kind, text, accepted }) {
    if (accepted) assert.equal(CHECKS[kind]!(text), text);
    else assert.throws(() => CHECKS[kind]!(text), { name: 'ConfigurationError' });
  },
  uuid7({ milliseconds, random, text }) {
    const bits = BigInt(`0x${random}`);
    const parts = [bits >> 62n, (bits >> 32n) & 0x3fff_ffffn, bits & 0xffff_ffffn].map(Number);
    assert.equal(uuid7(Number(`0x${milliseconds}`), parts as [number, number, number]), text);
  },
  args({ args, taken, refused, says = '' }) {
    if (taken) return assert.deepEqual(decodeArgs(toBytes(args)), taken);
    assert.equal(refused, 'bad-args');
    assert.throws(
      () => decodeArgs(toBytes(args)),
      (error) => error instanceof NotJson && `args${error.path}: ${error.reason}`.includes(says),
    );
  },
  results({ text }) {
    assert.equal(encodeResult(decodeValue(toBytes(text))), String(toBytes(text)));
  },
};

for (const [name, one] of cases('values')) {
  const [file] = name.split(':') as [string];
  test(name, { skip: file === 'args' && BY_SIGNATURE.test(one.name) && 'no handler checks its parameters yet' }, () =>
    FILES[file]!(one),
  );
}
