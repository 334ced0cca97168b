/** Runs the value vectors: pure functions, each text or number in, a text or number out. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoff } from '../../src/values/backoff.js';
import { catalogSha } from '../../src/values/catalog.js';
import { decodeArgs, decodeValue, encodeResult, NotJson } from '../../src/values/codec.js';
import { uuid7 } from '../../src/values/ids.js';
import { Keys } from '../../src/values/keys.js';
import { checkId, checkPrefix, checkQueue } from '../../src/values/names.js';
import { faultOf } from '../../src/values/schema.js';
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
  json(one) {
    const refused = one.refused ?? one.may_refuse;
    if (refused !== undefined) return assert.throws(() => throughJson(one), { message: wordOf(refused) });
    const { value, written } = throughJson(one);
    if (one.text === undefined) return assert.ok(one.writes.includes(written), written);
    if ('value' in one) assert.deepEqual(value, one.value[1]);
    if ('written' in one) assert.deepEqual(written, String(toBytes(one.written)));
  },
  catalog({ entries, sha }) {
    assert.equal(catalogSha(Object.entries(entries as Record<string, string>)), sha);
  },
  schema({ schema, value, passes, path, reason }) {
    assert.deepEqual(faultOf(schema, value), passes ? undefined : { path, reason });
  },
};

const MAKERS: Record<string, (of: Data) => unknown> = {
  'not-a-number': () => Number.NaN,
  'infinity-in': (name) => ({ [name]: Number.POSITIVE_INFINITY }),
  'negative-zero': () => -0,
  moment: (seconds) => new Date(seconds * 1000),
  bytes: toBytes,
  'lone-surrogate': () => '\ud83d',
  integer: BigInt,
  loop() {
    const itself: unknown[] = [];
    itself.push(itself);
    return itself;
  },
};

function throughJson({ text, value }: Data): { value: unknown; written: string } {
  const made = text === undefined ? MAKERS[value[0]]!(value[1]) : decodeValue(toBytes(text));
  return { value: made, written: encodeResult(made) };
}

const wordOf = (word: string) => new RegExp(word.replace(/[.^]/g, '\\$&'));

for (const [name, one] of cases('values')) {
  const [file] = name.split(':') as [string];
  test(name, { skip: file === 'args' && BY_SIGNATURE.test(one.name) && 'no handler checks its parameters yet' }, () =>
    FILES[file]!(one),
  );
}
