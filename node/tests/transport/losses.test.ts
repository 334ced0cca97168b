/** What becomes of calls and commands when connections break: scripts are sent again, nothing else is. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { submit } from '../../src/commands/index.js';
import { ServerError, ServerUnavailable } from '../../src/errors.js';
import { Transport } from '../../src/transport/index.js';
import { Breaker } from '../helpers/breaker.js';
import { newPrefix, Server, startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';

const server = await startServer();
const plain = server.plain();
after(() => plain.disconnect());
const task = (id: string) => [id, 'echo', '{}', '', []] as const;

function beside(options: { timeout?: number; forever?: boolean } = {}) {
  const breaker = Breaker.before(server);
  const prefix = newPrefix();
  const transport = new Transport(breaker.url, { prefix, ...options });
  after(() => transport.close());
  return { breaker, prefix, transport, keys: { app: `${prefix}:` } };
}

test('a call whose reply was lost is sent again, and its task is there once', async () => {
  const { breaker, transport, keys, prefix } = beside();
  await transport.send(submit(keys, 'other', [task('first')])); // the server knows the script from now on
  breaker.loseReplyTo('lost-reply');
  assert.deepEqual(await transport.send(submit(keys, 'default', [task('lost-reply')])), ['exists']);
  assert.equal(await plain.llen(`${prefix}:default:pending`), 1);
});

test('of many calls whose replies were lost each is answered, and each task is there once, in order', async () => {
  const { breaker, transport, keys, prefix } = beside();
  await transport.send(submit(keys, 'other', [task('first')]));
  breaker.loseReplyTo('id-70');
  const ids = Array.from({ length: 100 }, (_, n) => `id-${n}`);
  const words = await Promise.all(ids.map((id) => transport.send(submit(keys, 'default', [task(id)]))));
  assert.equal(words.length, 100);
  assert.deepEqual(await plain.lrange(`${prefix}:default:pending`, 0, -1), ids.reverse());
});

test('one that never gives up sends again in order, and before what is asked meanwhile', async () => {
  const { breaker, transport, prefix } = beside({ forever: true });
  const key = `${prefix}:order`;
  const push = (word: string) => transport.command(['RPUSH', key, word], { repeat: true });
  await transport.command(['PING'], { repeat: true });
  breaker.refuse();
  breaker.cut();
  const before = breaker.connections;
  const first = push('first');
  await until(() => breaker.connections >= before + 4, { what: 'tries in vain, with longer and longer pauses' });
  breaker.refuse(false);
  await Promise.all([first, push('second')]);
  assert.deepEqual(await plain.lrange(key, 0, -1), ['first', 'second']);
});

test('a plain command whose reply was lost is not sent again, and says so', async () => {
  const { breaker, transport, prefix } = beside();
  breaker.loseReplyTo('pushed-once');
  await assert.rejects(transport.command(['LPUSH', `${prefix}:list`, 'pushed-once']), ServerUnavailable);
  assert.equal(await plain.llen(`${prefix}:list`), 1);
});

test('a plain command that may be repeated is', async () => {
  const { breaker, transport, prefix } = beside();
  breaker.loseReplyTo('HMGET');
  assert.deepEqual(await transport.fields(`${prefix}:task:a`, ['result']), [null]);
});

test('a connection that was cut while idle costs no command anything', async () => {
  const { breaker, transport, prefix } = beside();
  await transport.command(['PING']);
  breaker.cut();
  await until(async () => breaker.connections > 0);
  const push = () => transport.command(['LPUSH', `${prefix}:list`, 'x']);
  // The first may still meet the old connection, if nobody has been told of its end yet.
  await push().catch(push);
  assert.equal(breaker.connections, 2);
});

test('a server that is away is said to be away, with the ways to get one', async () => {
  const away = new Transport(`unix://${server.folder}/nobody`, { prefix: 'a' });
  after(() => away.close());
  await assert.rejects(away.command(['PING']), (error: Error) => {
    assert.ok(error instanceof ServerUnavailable);
    assert.match(error.message, /no Redis answers at unix:\/\/.*nobody \(.*ENOENT.*\); start one with `doshit server`/);
    return true;
  });
});

test('one that never gives up goes on when the server is back', async () => {
  const mine = await new Server({ persist: true }).start();
  after(() => mine.end());
  const transport = new Transport(mine.url, { prefix: 'a', forever: true });
  after(() => transport.close());
  await transport.send(submit({ app: 'a:' }, 'default', [task('before')]));
  await mine.kill();
  const sent = transport.send(submit({ app: 'a:' }, 'default', [task('during')]));
  await mine.start();
  assert.deepEqual(await sent, ['created']);
  assert.equal(await transport.command(['LLEN', 'a:default:pending']), 2);
});

test('a server that says nothing any more is given up after the timeout, and the call is not counted as heard', async () => {
  const { breaker, transport } = beside({ timeout: 0.3 });
  await transport.command(['PING']);
  breaker.silence();
  const before = transport.heardAt;
  await assert.rejects(transport.command(['PING']), (error: Error) => {
    assert.ok(error instanceof ServerUnavailable);
    assert.match(error.message, /no answer within 0.3 s/);
    return true;
  });
  assert.equal(transport.heardAt, before);
  assert.deepEqual(await transport.command(['PING']), Buffer.from('PONG'));
});

test('something that is no Redis is refused with words, not with a hang', async () => {
  const path = join(server.folder, 'http');
  const other = createServer((socket) => socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')));
  other.listen(path);
  await once(other, 'listening');
  after(() => other.close());
  const transport = new Transport(`unix://${path}`, { prefix: 'a' });
  after(() => transport.close());
  await assert.rejects(transport.command(['PING']), ServerError);
});

test('close waits for what was asked, and what is asked later is refused', async () => {
  const { transport, keys, prefix } = beside();
  const sent = transport.send(submit(keys, 'default', [task('last')]));
  await Promise.all([sent, transport.close()]);
  assert.equal(await plain.llen(`${prefix}:default:pending`), 1);
  await assert.rejects(transport.command(['PING']), /is closed; make another/);
});
