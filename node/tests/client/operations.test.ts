/** What is asked about tasks that are there: cancel, the failed ones, progress, output. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Client } from '../../src/client/index.js';
import { ConfigurationError, TaskFailed, TaskVanished } from '../../src/errors.js';
import { formatTimestamp } from '../../src/values/times.js';
import { startServer } from '../helpers/server.js';
import { Ender, newApp } from './helper.js';

const server = await startServer();
const plain = server.plain();
after(() => plain.disconnect());

function stage(): { app: Client; ender: Ender } {
  const app = newApp(server);
  return { app, ender: new Ender(server, app) };
}

async function listed(app: Client, wanted = {}): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of app.failed(wanted)) ids.push(id);
  return ids;
}

test('a task that waits is cancelled and its waiter is told', async () => {
  const { app } = stage();
  const handle = await app.enqueue('any');
  const waiting = handle.result({ timeout: 60 });
  assert.equal(await handle.cancel(), 'cancelled');
  await assert.rejects(waiting, (error) => error instanceof TaskFailed && error.code === 'cancelled');
  assert.equal(await handle.cancel(), 'cancelled');
  assert.equal(await app.handle('nobody').cancel(), 'unknown');
});

test('a task that runs has its worker asked', async () => {
  const { app, ender } = stage();
  const handle = await app.enqueue('any');
  const [task] = await ender.take();
  assert.equal(await handle.cancel(), 'asked');
  assert.deepEqual(await plain.smembers(app.keys.stop('w')), [String(task!.claim)]);
});

test('a queue or a function is cut off at a moment of the Redis clock', async () => {
  const { app, ender } = stage();
  const { id } = await app.enqueue('any');
  const at = await app.cancelQueue(app.queue);
  const cut = await plain.hget(app.keys.cutoffs, `queue:${app.queue}`);
  assert.equal(cut!.slice(0, 23), formatTimestamp(at).slice(0, 23));
  await app.cancelFunction('other');
  assert.equal(await plain.hlen(app.keys.cutoffs), 2);
  assert.deepEqual(await ender.take(), []);
  assert.equal((await app.handle(id).info()).errorCode, 'cancelled');
  await assert.rejects(app.cancelQueue('task'), ConfigurationError);
  for (const name of ['', 5, () => 1]) {
    await assert.rejects(app.cancelFunction(name as string), /the name by which workers know it/);
    await assert.rejects(app.retryFailed({ function: name as string }), /the name by which workers know it/);
  }
});

test('failed tasks are listed the newest first, narrowed, run again and dropped', async () => {
  const { app, ender } = stage();
  const ids: string[] = [];
  const now = Date.now();
  for (const [name, code] of [
    ['a', 'exception'],
    ['b', 'exited'],
    ['a', 'exited'],
  ] as const) {
    ids.push((await app.enqueue(name)).id);
    await ender.fail(code, 'why', '');
    await plain.zadd(app.keys.failed(app.queue), now + ids.length, ids.at(-1)!);
  }
  await plain.zadd(app.keys.failed(app.queue), now + 9, 'faded');
  const [first, second, third] = ids;
  assert.deepEqual(await listed(app), [third, second, first]);
  assert.deepEqual(await listed(app, { function: 'a', code: 'exited' }), [third]);
  assert.deepEqual(await listed(app, { queue: 'elsewhere' }), []);
  await assert.rejects(listed(app, { code: 'nonsense' }), ConfigurationError);
  assert.equal(await app.retryFailed({ function: 'a' }), 2);
  assert.deepEqual(await plain.lrange(app.keys.pending(app.queue), 0, -1), [third, first]);
  assert.equal(await app.dropFailed(), 1);
  assert.equal(await plain.zcard(app.keys.failed(app.queue)), 0);
});

test('one task is run again as if it were new, and its handle waits for the new end', async () => {
  const { app, ender } = stage();
  const handle = await app.enqueue('any');
  assert.equal(await handle.retry(), false);
  await ender.fail('exception', 'why', '');
  await assert.rejects(handle.result({ timeout: 60 }), TaskFailed);
  assert.equal(await handle.retry(), true);
  const waiting = handle.result({ timeout: 60 });
  await ender.succeed('2');
  assert.equal(await waiting, 2);
  await assert.rejects(app.handle('nobody').retry(), TaskVanished);
});

test('a task says what its hash says, and what a stranger has spoilt is null', async () => {
  const { app } = stage();
  const failures = JSON.stringify([
    { attempt: 1, code: 'exited', reason: 'gone', at: '2015-12-05T00:19:01.834909Z' },
    7,
  ]);
  const fields = { function: 'f', args: '{"a":1}', attempts: '2', 'cpu-time': '0.5', 'memory-peak': 'much', failures };
  await plain.hset(app.keys.task('t'), { ...fields, 'pending-created': '2015-12-05T00:19:01.834909Z', progress: '{' });
  const info = await app.handle('t').info();
  assert.deepEqual(info.created, new Date('2015-12-05T00:19:01.834Z'));
  assert.deepEqual(
    [info.function, info.state, info.attempts, info.cpuTime, info.memoryPeak],
    ['f', 'pending', 2, 0.5, null],
  );
  assert.deepEqual(info.args(), { a: 1 });
  assert.deepEqual([info.progress, info.result, info.resultValue(), info.finished], [null, null, null, null]);
  const [failure] = info.failures;
  assert.equal(info.failures.length, 1);
  assert.deepEqual([failure!.attempt, failure!.code, failure!.reason], [1, 'exited', 'gone']);
});

test('progress is told each time it changes, until the end', async () => {
  const { app } = stage();
  const key = app.keys.task('p');
  await plain.hset(key, { function: 'f', state: 'executing', progress: '{"fraction":0.5,"text":"half"}' });
  const seen: unknown[] = [];
  for await (const { fraction, text } of app.handle('p').progress()) {
    seen.push([fraction, text]);
    if (seen.length === 1) await plain.hset(key, 'progress', '{"fraction":null,"text":"more"}');
    else await plain.hset(key, 'state', 'finished');
  }
  assert.deepEqual(seen, [
    [0.5, 'half'],
    [null, 'more'],
  ]);
  await assert.rejects(app.handle('nobody').progress().next(), TaskVanished);
  const why = new Error('enough');
  await plain.hset(key, { state: 'executing', progress: '' });
  await assert.rejects(
    app
      .handle('p')
      .progress({ signal: AbortSignal.abort(why) })
      .next(),
    why,
  );
});

test('output comes in its order with stream and time', async () => {
  const { app } = stage();
  const log = app.keys.log('o');
  await plain.xadd(log, '1-0', 's', 'stdout', 't', '2015-12-05T00:19:01.834909Z', 'm', 'one');
  await plain.xadd(log, '2-0', 's', 'stderr', 'm', 'two');
  await plain.xadd(log, '3-0', 'else', 'x');
  const lines = await app.handle('o').output();
  assert.deepEqual(lines, [
    { stream: 'stdout', at: new Date('2015-12-05T00:19:01.834Z'), text: 'one' },
    { stream: 'stderr', at: null, text: 'two' },
  ]);
  await assert.rejects(app.handle('nobody').output(), TaskVanished);
});
