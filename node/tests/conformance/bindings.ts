/** Which function of this package each name in a vector means, and how what the vector says is given to it. */

import assert from 'node:assert/strict';
import type { Redis } from 'ioredis';
import * as commands from '../../src/commands/index.js';
import { backoff } from '../../src/values/backoff.js';
import { catalogSha, parametersIn } from '../../src/values/catalog.js';
import { decodeArgs, decodeValue, encodeResult, NotJson } from '../../src/values/codec.js';
import { uuid7 } from '../../src/values/ids.js';
import { Keys } from '../../src/values/keys.js';
import { checkId, checkPrefix, checkQueue } from '../../src/values/names.js';
import { faultOf } from '../../src/values/schema.js';
import { formatTimestamp, parseTimestamp } from '../../src/values/times.js';
import { functionsOf } from '../../src/worker/functions.js';
import functions from './tasks.js';
import { type Data, toBytes } from './vectors.js';

const SERVED = functionsOf(functions);
const CHECKS: Record<string, (text: string) => string> = { queue: checkQueue, prefix: checkPrefix, id: checkId };

/** Runs a case of values/, by the name of its file. */
export const VALUES: Record<string, (one: Data) => void> = {
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
  args({ function: name, args, taken, refused, says = '' }) {
    const told = argsTold(name, toBytes(args));
    if (taken) return assert.deepEqual(told, { args: taken });
    assert.equal(refused, 'bad-args');
    assert.ok('fault' in told && told.fault.includes(says), JSON.stringify(told));
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
  entries({ entry, args, passes, path, reason }) {
    const text = isText(entry) ? String(toBytes(entry)) : JSON.stringify(entry);
    assert.deepEqual(faultOf(parametersIn(text), args), passes ? undefined : { path, reason });
  },
  schema({ schema, value, passes, path, reason }) {
    assert.deepEqual(faultOf(schema, value), passes ? undefined : { path, reason });
  },
};

const isText = (entry: Data) => typeof entry === 'string' || 'join' in entry;

/** What a worker makes of args: the arguments that its function gets, or why it refuses them. */
function argsTold(name: string, json: Buffer): Data {
  try {
    return SERVED.get(name)!.check!(decodeArgs(json));
  } catch (error) {
    if (error instanceof NotJson) return { fault: `args${error.path}: ${error.reason}` };
    throw error;
  }
}

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

// Which arguments each call takes by place; what is not named here goes by name.
const BY_PLACE: Record<string, string[]> = {
  submit: ['queue', 'tasks'],
  claim: ['worker', 'request', 'limit', 'queues'],
  finish: ['worker', 'ends'],
  release: ['worker', 'tasks'],
  retry: ['worker', 'tasks'],
  park: ['worker', 'grace', 'tasks'],
  note: ['worker', 'notes'],
  cancel: ['ids'],
  beat: ['worker'],
  seal: ['workers'],
  recover: [],
  promote: [],
  requeue: ['ids'],
  drop: ['ids'],
};
const BYTES = ['tasks', 'ends', 'notes', 'ids'];

/** Sends the call that this package makes of a step; the reply as the server sent it, which can be read. */
export async function call(plain: Redis, step: Data, one: Data): Promise<Data> {
  const { script, key, args, read } = toCall(step, one);
  const reply = await plain.callBuffer('EVAL', [script.source, 1, key, ...args]);
  for (const { id, claim, queue } of (read(reply) as Data).tasks ?? []) {
    const key = Buffer.concat([Buffer.from('doshit:task:'), id]);
    assert.deepEqual(await plain.hmgetBuffer(key, 'claim', 'queue'), [claim, queue]);
  }
  return reply;
}

function toCall(step: Data, one: Data): commands.Call<unknown> {
  const { transition, with: given } = step.call;
  const named: Data = { ids: [], ...one.defaults?.[transition], ...given, now: step.now };
  for (const name of BYTES) if (named[name]) named[name] = bytes(named[name]);
  const places = BY_PLACE[transition]!;
  const rest = Object.entries(named).filter(([name]) => !places.includes(name));
  const options = Object.fromEntries(rest.map(([name, value]) => [camel(name), value]));
  const make = (commands as Data)[transition];
  return make({ app: 'doshit:' }, ...places.map((name) => named[name]), options);
}

const camel = (name: string) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const bytes = (item: Data): Data =>
  Array.isArray(item) ? item.map(bytes) : typeof item === 'string' ? toBytes(item) : item;
