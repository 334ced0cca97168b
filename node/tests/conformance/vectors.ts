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

/** How each type is written from a vector, read whole, and compared. */
const TYPES: Record<string, { write: (value: Data) => Data[][]; read: Data[]; form: (value: Data) => Data }> = {
  hash: { write: (v) => [['HSET', ...pairs(v).flat()]], read: ['HGETALL'], form: (v) => Object.fromEntries(v) },
  zset: {
    write: (v) => [['ZADD', ...pairs(v).flatMap(([member, score]) => [score, member])]],
    read: ['ZRANGE', 0, -1, 'WITHSCORES'],
    form: (v) => Object.fromEntries(v.map(([member, score]: Data[]) => [member, Number(score)])),
  },
  set: { write: (v) => [['SADD', ...v]], read: ['SMEMBERS'], form: (v) => v.sort() },
  list: { write: (v) => [['RPUSH', ...v]], read: ['LRANGE', 0, -1], form: (v) => v },
  stream: {
    write: (v) => v.map(([id, flat]: Data[]) => ['XADD', id, ...flat]),
    read: ['XRANGE', '-', '+'],
    form: (v) => v,
  },
  string: { write: (v) => [['SET', v]], read: ['GET'], form: (v) => v },
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
  for (const [key, entry] of expected) {
    const { read, form } = TYPES[entry.type]!;
    assert.equal(await plain.call('TYPE', toBytes(key)), entry.type, key);
    const [name, ...rest] = read;
    const flat = toRaw(await plain.callBuffer(name, [toBytes(key), ...rest]));
    const there = ['hash', 'zset'].includes(entry.type)
      ? flat.flatMap((_: Data, i: number) => (i % 2 ? [] : [flat.slice(i, i + 2)]))
      : flat;
    if ('size' in entry) assert.equal(there.length, entry.size, key);
    else assert.deepEqual([key, form(there)], [key, form(wantedValue(entry))]);
    assertLife(Number(await plain.call('PTTL', toBytes(key))), entry.ttl, key);
  }
}

function wantedValue({ type, value }: Data): Data {
  const texts = (item: Data): Data => (Array.isArray(item) ? item.map(texts) : toRaw(String(item)));
  return texts(['hash', 'zset'].includes(type) ? pairs(value) : value);
}

function assertLife(leftMs: number, seconds: number | undefined, key: string): void {
  if (seconds === undefined) assert.equal(leftMs, -1, `${key} has a life; none was expected`);
  else assert.ok(leftMs > seconds * 1000 - TTL_SLACK_MS && leftMs <= seconds * 1000, `${key} lives ${leftMs} ms more`);
}
