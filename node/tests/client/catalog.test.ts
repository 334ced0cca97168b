/** A call that no live worker would take is refused before the push; where nobody says anything, any call goes. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Client } from '../../src/client/index.js';
import { BadArguments, ServerError } from '../../src/errors.js';
import { Breaker } from '../helpers/breaker.js';
import { startServer } from '../helpers/server.js';
import { newApp } from './helper.js';

const server = await startServer();
const plain = server.plain();
after(() => plain.disconnect());

const number = { type: 'number' };
const add = { type: 'object', properties: { a: number, b: number }, required: ['a', 'b'], additionalProperties: false };

/** A worker that is alive, as far as Redis knows, and what it serves. */
async function serve({ keys }: Client, worker: string, functions: Record<string, unknown>): Promise<void> {
  for (const [name, parameters] of Object.entries(functions)) {
    await plain.hset(keys.catalog(worker), name, JSON.stringify({ language: 'python', parameters }));
  }
  await plain.hset(keys.worker(worker), 'catalog', worker);
  await plain.zadd(keys.workers, 8e15, worker);
}

const refused = (says: RegExp, parameter: string) => (error: unknown) =>
  error instanceof BadArguments && says.test(error.message) && error.parameter === parameter;

test('a wrong call is refused with its parameter, and nothing is pushed', async () => {
  const app = newApp(server);
  await serve(app, 'w', { add });
  await assert.rejects(
    app.enqueue('add', { a: 'x', b: 1 }),
    refused(/^add: args\.a: expected number, got string$/, 'a'),
  );
  await assert.rejects(app.enqueue('add', { a: 1 }), refused(/args\.b: it is missing/, 'b'));
  await assert.rejects(app.enqueue('add', { a: 1, b: 2, c: 3 }), refused(/args\.c: there is no such/, 'c'));
  await assert.rejects(app.enqueueMany([app.job('add', { a: 1, b: 2 }), app.job('add')]), refused(/args\.a/, 'a'));
  assert.equal(await plain.exists(app.keys.pending(app.queue)), 0);
  assert.ok(await app.enqueue('add', { a: 1, b: 2 }));
  assert.ok(await app.enqueue('unheard-of', { a: 'x' }));
});

test('who wants no check gets none', async () => {
  const app = newApp(server, { check: false });
  await serve(app, 'w', { add });
  assert.ok(await app.enqueue('add', { a: 'x' }));
});

test('of two signatures either will do, and a sealed worker has no say', async () => {
  const app = newApp(server);
  await serve(app, 'old', { add });
  await serve(app, 'new', { add: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } });
  assert.ok(await app.enqueue('add', { text: 'x' }));
  assert.ok(await app.enqueue('add', { a: 1, b: 2 }));
  await assert.rejects(app.enqueue('add', {}), BadArguments);
  const other = newApp(server, { prefix: app.prefix });
  await plain.zadd(app.keys.workers, -1, 'old', -1, 'new');
  assert.ok(await other.enqueue('add', {}));
});

test('a catalog that cannot be read lets every call pass', async () => {
  const app = newApp(server);
  await serve(app, 'w', { broken: true });
  await plain.hset(app.keys.catalog('w'), 'broken', '{');
  assert.ok(await app.enqueue('broken', { a: 1 }));
  await plain.set(app.keys.catalog('x'), 'no hash');
  await plain.hset(app.keys.worker('x'), 'catalog', 'x');
  await plain.zadd(app.keys.workers, 8e15, 'x');
  assert.ok(await app.enqueue('other', { a: 1 }));
  await plain.call('ACL', 'SETUSER', 'blind', 'on', '>secret', '~*', '&*', '+@all', '-zrangebyscore', '-hget');
  const blind = newApp(server, { redis: { path: server.socket, username: 'blind', password: 'secret' } });
  assert.ok(await blind.enqueue('add', { a: 'x' }));
});

test('an absent server is said to be absent, as without a check', async () => {
  const breaker = Breaker.before(server);
  breaker.refuse();
  await assert.rejects(newApp(server, { redis: breaker.url }).enqueue('add'), (error: Error) => {
    return error instanceof ServerError && /no Redis answers/.test(error.message);
  });
});
