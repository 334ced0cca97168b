/** Reads the vectors of protocol/conformance and turns their texts into what Redis holds. Runs none of them. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Redis } from 'ioredis';
import { ROOT } from '../helpers/paths.js';

// biome-ignore lint/suspicious/noExplicitAny: the vectors are data of many shapes, judged by what they are compared with
export type Data = any;
const FOLDER = `${ROOT}protocol/conformance/`;
// A life in the vectors is an hour or more; this is what a slow machine may have taken off it when it is read.
const TTL_SLACK_MS = 120_000;

export const read = (name: string): Data => JSON.parse(readFileSync(FOLDER + name, 'utf8'));

/** Every case of a folder by file and name, with `worlds` and `defaults` of its file beside it. */
export function cases(folder: string): Map<string, Data> {
  const found = new Map<string, Data>();
  for (const file of readdirSync(FOLDER + folder).sort()) {
    const { cases, ...shared } = read(`${folder}/${file}`);
    for (const one of cases) found.set(`${basename(file, '.json')}: ${one.name}`, { ...shared, ...one });
  }
  return found;
}

/** What a text, a number or a long text of a vector is in Redis: "hex:ff" are the bytes of that hexadecimal. */
export function toBytes(text: Data): Buffer {
  if (Buffer.isBuffer(text)) return text;
  if (text?.join) return Buffer.concat(text.join.map(toBytes));
  if (typeof text === 'object') return Buffer.from(String(toBytes(text.repeat[0])).repeat(text.repeat[1]));
  return String(text).startsWith('hex:') ? Buffer.from(text.slice(4), 'hex') : Buffer.from(String(text));
}

/** The same for a whole reply, as text of one character a byte: lists stay lists, numbers and null stay themselves. */
export function toRaw(value: Data): Data {
  if (Array.isArray(value)) return value.map(toRaw);
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  return typeof value === 'string' ? toBytes(value).toString('latin1') : value;
}

const pairs = (value: Data): [Data, Data][] => (Array.isArray(value) ? value : Object.entries(value));
const flipped = (value: Data): Data[] => pairs(value).flatMap(([member, score]) => [score, member]);
const texts = (item: Data): Data => (Array.isArray(item) ? item.map(texts) : toRaw(String(item)));
const inTwos = (flat: Data[]) => flat.flatMap((_, at) => (at % 2 ? [] : [flat.slice(at, at + 2)])).sort();

type Type = { write: (value: Data) => Data[][]; read: Data[]; form?: (flat: Data[]) => Data[] };
/** How each type is written from a vector and read whole; form: what its reply is compared as, if not as it came. */
const TYPES: Record<string, Type> = {
  hash: { write: (v) => [['HSET', ...pairs(v).flat()]], read: ['HGETALL'], form: inTwos },
  zset: { write: (v) => [['ZADD', ...flipped(v)]], read: ['ZRANGE', 0, -1, 'WITHSCORES'], form: inTwos },
  set: { write: (v) => [['SADD', ...v]], read: ['SMEMBERS'], form: (flat) => flat.sort() },
  list: { write: (v) => [['RPUSH', ...v]], read: ['LRANGE', 0, -1] },
  stream: { write: (v) => v.map(([id, flat]: Data[]) => ['XADD', id, ...flat]), read: ['XRANGE', '-', '+'] },
  string: { write: (v) => [['SET', v]], read: ['GET'] },
};

/** Writes the keys of a world into an empty server. */
export async function seed(plain: Redis, world: Data): Promise<void> {
  for (const [key, entry] of Object.entries<Data>(world).filter(([, entry]) => entry !== null)) {
    for (const [name, ...args] of TYPES[entry.type]!.write(entry.value))
      await plain.call(name, [key, ...args].map(toBytes));
    if (entry.ttl) await plain.call('EXPIRE', toBytes(key), entry.ttl);
  }
}

/** The server holds exactly these keys: no other, each with this value and life. */
export async function assertWorld(plain: Redis, wanted: Data): Promise<void> {
  const expected = Object.entries<Data>(wanted).filter(([, entry]) => entry !== null);
  assert.deepEqual(toRaw(await plain.callBuffer('KEYS', '*')).sort(), expected.map(([key]) => toRaw(key)).sort());
  for (const [key, { type, value, size, ttl }] of expected) {
    const { read, form = (reply) => reply } = TYPES[type]!;
    assert.equal(await plain.call('TYPE', toBytes(key)), type, key);
    const there = form(toRaw(await plain.callBuffer(read[0], [toBytes(key), ...read.slice(1)])));
    const flat = ['hash', 'zset'].includes(type) ? pairs(value ?? []).flat() : value;
    if (size === undefined) assert.deepEqual([key, there], [key, form(texts(flat))]);
    else assert.equal(there.length, size, key);
    const left = Number(await plain.call('PTTL', toBytes(key)));
    if (ttl === undefined) assert.equal(left, -1, `${key} has a life; none was expected`);
    else assert.ok(left > ttl * 1000 - TTL_SLACK_MS && left <= ttl * 1000, `${key} lives ${left} ms more`);
  }
}
