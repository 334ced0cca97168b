/** Waiting for results: what comes back, what is thrown, what is heard, what is mended, and what is left behind. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Client, type Handle } from '../../src/client/index.js';
import {
  BadValue,
  ConfigurationError,
  ServerUnavailable,
  TaskFailed,
  TaskVanished,
  WaitTimeout,
} from '../../src/errors.js';
import { Breaker } from '../helpers/breaker.js';
import { Server, startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { Ender, newApp, warm } from './helper.js';

const server = await startServer();
const plain = server.plain();
after(() => plain.disconnect());

/** An app that nobody else uses, and its worker. */
function stage(redis?: string): { app: Client; ender: Ender } {
  const app = newApp(server, redis === undefined ? {} : { redis });
  return { app, ender: new Ender(server, app) };
}

async function subscribers(channel: string): Promise<number> {
  const [, count] = (await plain.call('PUBSUB', 'NUMSUB', channel)) as [string, number];
  return Number(count);
}

test('a timeout that is no number is refused', async () => {
  const { app } = stage();
  const handle = await app.enqueue('any');
  for (const timeout of [Number.NaN, 'soon' as unknown as number]) {
    await assert.rejects(handle.result({ timeout }), (error: Error) => {
      return error instanceof ConfigurationError && /timeout: (NaN|soon) is no number of seconds/.test(error.message);
    });
  }
});

test('every JSON value comes back as itself', async () => {
  const { app, ender } = stage();
  for (const value of [null, 0, false, '', [], {}, 1.5, 'text', { a: [1, null] }]) {
    const handle = await app.enqueue('any');
    const waiting = handle.result({ timeout: 60 });
    await ender.succeed(JSON.stringify(value));
    assert.deepEqual(await waiting, value);
    assert.deepEqual(await handle.result({ timeout: 0 }), value);
  }
});

test('an integer that a number cannot hold is an error, or a BigInt to who asks', async () => {
  const { app, ender } = stage();
  const handle = await app.enqueue('any');
  await ender.succeed('{"id":9007199254740993}');
  await assert.rejects(handle.result({ timeout: 60 }), (error: Error) => {
    return error instanceof BadValue && /result-value\.id/.test(error.message);
  });
  assert.deepEqual(await handle.result({ timeout: 60, bigint: true }), { id: 9007199254740993n });
});

test('a failed task throws with its code, reason and stack', async () => {
  const { app, ender } = stage();
  const handle = await app.enqueue('any');
  const waiting = handle.result({ timeout: 60 });
  await ender.fail('exception', 'no such user', 'Error: no\n  at line 7');
  await assert.rejects(waiting, (error) => {
    assert.ok(error instanceof TaskFailed);
    assert.deepEqual([error.id, error.code, error.reason], [handle.id, 'exception', 'no such user']);
    assert.equal(error.remoteStack, 'Error: no\n  at line 7');
    return true;
  });
});

test('who has waited once names a channel of its own, and hears the end and the result there', async () => {
  const { app, ender } = stage();
  await warm(app, ender);
  const handle = await app.enqueue('any');
  const replyTo = await plain.hget(app.keys.task(handle.id), 'reply-to');
  assert.equal(await subscribers(replyTo!), 1);
  const waiting = handle.result({ timeout: 60 });
  assert.equal(await subscribers(app.keys.results), 0);
  const looks: string[] = [];
  const monitor = await server.plain().monitor();
  monitor.on('monitor', (_, [name = '']: string[], source: string) => {
    if (source !== 'lua') looks.push(name.toUpperCase());
  });
  await ender.succeed('"told"');
  assert.equal(await waiting, 'told');
  await plain.echo('all seen');
  await until(() => looks.includes('ECHO'));
  monitor.disconnect();
  // The message carried the result: nobody had to look at the hash.
  assert.ok(!looks.includes('HMGET'));
});

test('the channel of all is left when nobody needs it', async () => {
  const { app, ender } = stage();
  const handle = app.handle((await app.enqueue('any')).id);
  const waiting = handle.result({ timeout: 60 });
  await until(async () => (await subscribers(app.keys.results)) === 1);
  await ender.succeed('1');
  assert.equal(await waiting, 1);
  await until(async () => (await subscribers(app.keys.results)) === 0);
});

test('tasks that nobody waits for stop asking for messages', async () => {
  const { app, ender } = stage();
  await warm(app, ender);
  const handles: Handle[] = [];
  for (let n = 0; n < 1001; n++) handles.push(await app.enqueue('any'));
  assert.equal(await plain.hexists(app.keys.task(handles[999]!.id), 'reply-to'), 1);
  assert.equal(await plain.hexists(app.keys.task(handles[1000]!.id), 'reply-to'), 0);
});

test('a message that never came is not needed', async () => {
  const { app, ender } = stage();
  await warm(app, ender);
  const handle = await app.enqueue('any');
  const waiting = handle.result({ timeout: 60 });
  await until(async () => (await subscribers(app.keys.results)) === 0);
  await ender.succeedPlainly(handle.id, '5', { silent: true });
  assert.equal(await waiting, 5);
});

test('an end between submission and wait is found', async () => {
  const { app, ender } = stage();
  await warm(app, ender);
  const handle = await app.enqueue('any');
  await ender.succeed('7');
  assert.equal(await handle.result({ timeout: 60 }), 7);
});

test('a timeout says that the task goes on, and of zero is a single look', async () => {
  const { app } = stage();
  const handle = await app.enqueue('any');
  for (const timeout of [0, 0.05]) {
    await assert.rejects(
      handle.result({ timeout }),
      (error) => error instanceof WaitTimeout && error.seconds === timeout,
    );
  }
});

test('a task that is gone throws at once; an id that nobody has seen may still come', async () => {
  const { app, ender } = stage();
  const handle = await app.enqueue('any');
  await plain.del(app.keys.task(handle.id));
  await assert.rejects(handle.result({ timeout: 60 }), TaskVanished);
  await assert.rejects(app.handle('nobody').state(), TaskVanished);
  await assert.rejects(app.handle('nobody').info(), TaskVanished);
  const waiting = app.handle('comes').result({ timeout: 60 });
  await app.enqueue('any', {}, { id: 'comes', queue: 'late' });
  await ender.succeed('1', 1, 'late');
  assert.equal(await waiting, 1);
});

test('cut connections are mended while one waits', async () => {
  const breaker = Breaker.before(server);
  const { app, ender } = stage(breaker.url);
  await warm(app, ender);
  const handle = await app.enqueue('any');
  const waiting = handle.result({ timeout: 60 });
  breaker.cut();
  await ender.succeed('"mended"');
  assert.equal(await waiting, 'mended');
});

test('a connection that dies without a word delays a result by a look', async () => {
  const breaker = Breaker.before(server);
  const { app, ender } = stage(breaker.url);
  await warm(app, ender);
  const handle = await app.enqueue('any');
  const waiting = handle.result({ timeout: 60 });
  breaker.silence();
  await ender.succeed('"found"');
  assert.equal(await waiting, 'found');
});

test('a server that goes away ends a wait at its timeout, and says why', async () => {
  const own = await new Server().start();
  const app = new Client({ redis: own.url });
  try {
    const handle = await app.enqueue('any');
    const waiting = handle.result({ timeout: 0.3 });
    await own.kill();
    await assert.rejects(waiting, (error: Error) => {
      return error instanceof WaitTimeout && error.cause instanceof ServerUnavailable;
    });
  } finally {
    await app.close();
    await own.end();
  }
});

test('a thousand waits end, and leave no listener, no timer and no subscription behind', async () => {
  const { app, ender } = stage();
  await warm(app, ender);
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const { signal } = new AbortController();
  const handles = await app.enqueueMany(Array.from({ length: 1000 }, () => app.job('any')));
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const waiting = Promise.all(handles.map((handle) => handle.result({ signal, timeout: 90 })));
  await ender.succeed('1', 1000);
  assert.deepEqual(new Set(await waiting), new Set([1]));
  assert.ok(timers() <= before + 5);
  await until(async () => (await subscribers(app.keys.results)) === 0);
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
});

test('a signal ends a wait with its reason, and no other wait', async () => {
  const { app, ender } = stage();
  await warm(app, ender);
  const [one, two] = [await app.enqueue('any'), await app.enqueue('any')];
  const abort = new AbortController();
  const why = new Error('the visitor left');
  const left = assert.rejects(one.result({ signal: abort.signal }), why);
  const stayed = two.result({ timeout: 60 });
  abort.abort(why);
  await left;
  await assert.rejects(one.result({ signal: abort.signal }), why);
  await ender.succeed('2', 2);
  assert.equal(await stayed, 2);
});

test('close ends all waits with an error, and what is asked later is refused', async () => {
  const { app, ender } = stage();
  await warm(app, ender);
  const handles = await Promise.all(Array.from({ length: 20 }, () => app.enqueue('any')));
  const waiting = handles.map((handle) => assert.rejects(handle.result(), ServerUnavailable));
  await app.close();
  await Promise.all(waiting);
  await assert.rejects(handles[0]!.result(), /closed/);
  await assert.rejects(app.enqueue('any'), /closed/);
  assert.equal(await subscribers(app.keys.results), 0);
});

test('a client keeps its process alive while one waits, and not longer', async () => {
  const source = `
    import { Client } from ${JSON.stringify(new URL('../../src/client/index.js', import.meta.url).href)};
    const app = new Client({ redis: ${JSON.stringify(server.url)}, prefix: 'lives' });
    const handle = await app.enqueue('any', {}, { id: process.argv[1] });
    console.log(await handle.result());
  `;
  const ender = new Ender(server, newApp(server, { prefix: 'lives' }));
  const child = spawn(process.execPath, ['--input-type=module', '-e', source, 'one'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
  });
  await until(async () => (await subscribers('lives:results')) === 1);
  await ender.succeed('"alive"');
  assert.deepEqual(await ended, [0, null]);
  assert.equal(said, 'alive\n');
});

test('who may not listen looks again and again', async () => {
  await plain.call('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', 'resetchannels', '+@all');
  const app = newApp(server, { redis: { path: server.socket, username: 'deaf', password: 'secret' } });
  const handle = await app.enqueue('any');
  const waiting = handle.result({ timeout: 60 });
  await new Ender(server, app).succeed('1');
  assert.equal(await waiting, 1);
});
