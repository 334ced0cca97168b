/** Calls reach the server whole and once, in one write for each turn, and bytes stay bytes. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { submit } from '../../src/commands/index.js';
import { ServerError } from '../../src/errors.js';
import { Transport } from '../../src/transport/index.js';
import { newPrefix, startServer } from '../helpers/server.js';

const server = await startServer();
const prefix = newPrefix();
const keys = { app: `${prefix}:` };
const transport = new Transport(server.url, { prefix });
after(() => transport.close());

const task = (id: string | Buffer) => [id, 'echo', '{}', '', []] as const;

test('a call is answered with the words of its script', async () => {
  assert.deepEqual(await transport.send(submit(keys, 'default', [task('a'), task('b')])), ['created', 'created']);
  assert.deepEqual(await transport.send(submit(keys, 'default', [task('a')])), ['exists']);
});

test('an id that is no UTF-8 arrives and comes back byte for byte', async () => {
  const id = Buffer.from([0xff, 0x00, 0x0a, 0xfe]);
  await transport.send(submit(keys, 'bytes', [task(id)]));
  assert.deepEqual(await transport.command(['LRANGE', `${prefix}:bytes:pending`, 0, -1]), [id]);
});

test('a reply stays what it was, whatever comes after it', async () => {
  const sizes = [1, 4_000, 5_000, 70_000, 1_000_000];
  const texts = sizes.map((size, at) => String(at).repeat(size));
  const replies = [];
  for (const text of texts) {
    await transport.command(['SET', `${prefix}:text`, text]);
    replies.push((await transport.command(['GET', `${prefix}:text`])) as Buffer);
  }
  for (const [at, reply] of replies.entries())
    assert.ok(reply.equals(Buffer.from(texts[at]!)), `of ${sizes[at]} bytes`);
});

test('calls of one turn need one read of the server, whatever their number', async () => {
  await transport.command(['PING']);
  const before = await reads();
  const words = await Promise.all(
    Array.from({ length: 200 }, (_, n) => transport.send(submit(keys, 'many', [task(`m${n}`)]))),
  );
  assert.deepEqual(new Set(words.flat()), new Set(['created']));
  // The reads of the server itself: its own INFO is one of them.
  assert.ok((await reads()) - before <= 10);
});

async function reads(): Promise<number> {
  const info = String(await transport.command(['INFO', 'stats']));
  return Number(/total_reads_processed:(\d+)/.exec(info)?.[1]);
}

test('CLIENT LIST tells who it is, by the name of the source before any other', async () => {
  const named = new Transport(server.url, { prefix, name: 'doshit-worker' });
  const other = new Transport(
    { path: new URL(server.url).pathname, connectionName: 'mine' },
    { prefix, name: 'not-it' },
  );
  after(() => Promise.all([named.close(), other.close()]));
  await Promise.all([named.command(['PING']), other.command(['PING'])]);
  const names = String(await transport.command(['CLIENT', 'LIST'])).match(/(?<= name=)\S+/g);
  assert.deepEqual(names?.sort(), ['doshit-worker', 'mine']);
});

test('a server that has forgotten its scripts is told them by one call, not by each', async () => {
  await transport.command(['SCRIPT', 'FLUSH']);
  await transport.command(['CONFIG', 'RESETSTAT']);
  await Promise.all(Array.from({ length: 50 }, (_, n) => transport.send(submit(keys, 'again', [task(`s${n}`)]))));
  const stats = String(await transport.command(['INFO', 'commandstats']));
  assert.match(stats, /cmdstat_eval:calls=1,/);
  assert.equal(await transport.command(['LLEN', `${prefix}:again:pending`]), 50);
});

test('calls that find their script forgotten are answered in the order in which they were sent', async () => {
  await transport.command(['SCRIPT', 'FLUSH']);
  const answered: number[] = [];
  const sending = Array.from({ length: 5 }, async (_, n) => {
    await transport.send(submit(keys, 'order', [task(`o${n}`)]));
    answered.push(n);
  });
  await Promise.all(sending);
  assert.deepEqual(answered, [0, 1, 2, 3, 4]);
});

test('several calls in one round trip answer in their order', async () => {
  const calls = [submit(keys, 'default', [task('p1')]), submit(keys, 'default', [task('p1')])] as const;
  assert.deepEqual(await transport.sendAll(calls), [['created'], ['exists']]);
});

test('of several commands the first refusal is thrown, and the others have run', async () => {
  await transport.command(['SET', `${prefix}:text`, 'x']);
  const sent = transport.pipeline([
    ['LPUSH', `${prefix}:text`, 'y'],
    ['SET', `${prefix}:done`, 'z'],
  ]);
  await assert.rejects(
    sent,
    (error: Error) => error instanceof ServerError && /WRONGTYPE.*choose another prefix/.test(error.message),
  );
  assert.deepEqual(await transport.command(['GET', `${prefix}:done`]), Buffer.from('z'));
});
