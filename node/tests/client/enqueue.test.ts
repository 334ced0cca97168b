/** What enqueue leaves in Redis is a task as the protocol has it, once, whatever breaks on the way. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { Client } from '../../src/client/index.js';
import { BadArguments, ConfigurationError, IdConflict, NotPermitted, ServerError } from '../../src/errors.js';
import { textOf } from '../../src/values/text.js';
import { Breaker } from '../helpers/breaker.js';
import { ROOT } from '../helpers/paths.js';
import { startServer } from '../helpers/server.js';
import { newApp } from './helper.js';

const server = await startServer();
const plain = server.plain();
after(() => plain.disconnect());
const app = newApp(server);
const { keys } = app;

const hash = (id: string) => plain.hgetall(keys.task(id));

test('an enqueued call is a pending task as the protocol has it', async () => {
  const queue = 'contract';
  const handle = await app.enqueue('echo', { text: 'ooh yeeah' }, { queue });
  const { 'pending-created': created, ...fields } = await hash(handle.id);
  assert.match(created ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.deepEqual(fields, { function: 'echo', state: 'pending', args: '{"text":"ooh yeeah"}', queue });
  assert.deepEqual(await plain.lrange(keys.pending(queue), 0, -1), [handle.id]);
  assert.equal(await handle.state(), 'pending');
});

test('ids are sortable by time and never twice', async () => {
  const handles = await Promise.all(Array.from({ length: 600 }, () => app.enqueue('echo')));
  assert.equal(new Set(handles.map(({ id }) => id)).size, 600);
  assert.match(handles[0]!.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(handles[0]!.id.slice(0, 13) <= handles[599]!.id.slice(0, 13));
});

test('a refused call pushes nothing', async () => {
  const before = await plain.dbsize();
  await assert.rejects(app.enqueue('add', { a: Number.NaN }), (error) => error instanceof BadArguments);
  await assert.rejects(app.enqueue('add', [1, 2]), BadArguments);
  await assert.rejects(app.enqueue('add', {}, { queue: 'task' }), ConfigurationError);
  await assert.rejects(app.enqueue('add', {}, { id: '' }), ConfigurationError);
  assert.equal(await plain.dbsize(), before);
});

test('options reach the hash and the schedule', async () => {
  const options = { queue: 'options', delay: 3600, timeLimit: 1.5, memoryLimit: '64MiB', retries: 3, retryDelay: 0.5 };
  const more = {
    retryBackoff: 3,
    resultTtl: 'keep',
    username: 'anna',
    traceparent: '00-a-b-01',
    expires: 7200,
  } as const;
  const { id } = await app.enqueue('add', undefined, { ...options, ...more });
  const { expires, 'pending-created': created, ...fields } = await hash(id);
  assert.ok(expires! > created!);
  assert.deepEqual(fields, {
    function: 'add',
    state: 'pending',
    args: '{}',
    queue: 'options',
    'time-limit': '1.5',
    'memory-limit': String(64 << 20),
    retries: '3',
    'retry-delay': '0.5',
    'retry-backoff': '3',
    'result-ttl': 'keep',
    username: 'anna',
    traceparent: '00-a-b-01',
  });
  assert.ok(Number(await plain.zscore(keys.scheduled('options'), id)) > Date.now() + 3000 * 1000);
});

test('who is put to the front comes before all others', async () => {
  const { id: late } = await app.enqueue('echo', {}, { queue: 'line' });
  const { id: soon } = await app.enqueue('echo', {}, { queue: 'line', front: true });
  const { id: past } = await app.enqueue('echo', {}, { queue: 'line', at: new Date(0) });
  assert.deepEqual(await plain.lrange(keys.pending('line'), 0, -1), [past, late, soon]);
});

test('an option that cannot be names itself', async () => {
  const bad: [options: object, says: RegExp][] = [
    [{ delay: -1 }, /option 'delay'/],
    [{ delay: 1, front: true }, /'delay' and 'front': give one/],
    [{ at: 5 }, /option 'at': 5 is no Date/],
    [{ timeLimit: 0 }, /option 'timeLimit'/],
    [{ memoryLimit: 'much' }, /option 'memoryLimit'/],
    [{ retries: 1.5 }, /option 'retries'/],
    [{ retryBackoff: 0.5 }, /option 'retryBackoff'/],
    [{ username: '\ud800' }, /option 'username': a lone surrogate/],
    [{ expires: new Date(Number.NaN) }, /option 'expires'/],
    [{ timelimit: 1 }, /option 'timelimit': there is no such option; options are queue/],
    [{ constructor: 1 }, /option 'constructor': there is no such option/],
    [null as unknown as object, /options: null is no object/],
  ];
  for (const [options, says] of bad) {
    await assert.rejects(app.enqueue('add', {}, options), (error: Error) => {
      return error instanceof ConfigurationError && says.test(error.message);
    });
  }
});

test('settings of another kind are refused', () => {
  for (const settings of [5, null, { redis: 5 }, { prefix: 5 }, { queue: 5 }])
    assert.throws(() => new Client(settings as never), ConfigurationError);
});

test('what is no job names its place, and nothing is submitted', async () => {
  const job = app.job('add', {}, { queue: 'nobody' });
  await assert.rejects(app.enqueueMany([job, {} as typeof job]), (error: Error) => {
    return error instanceof BadArguments && /place 1: this is no job/.test(error.message);
  });
  assert.equal(await plain.exists(keys.pending('nobody')), 0);
  for (const none of [5, null, {}]) await assert.rejects(app.enqueueMany(none as never), BadArguments);
});

test('the same id twice is one task, and for other arguments a conflict that changes nothing', async () => {
  const options = { id: 'order-7', queue: 'own' };
  await app.enqueue('add', { a: 1 }, options);
  assert.equal((await app.enqueue('add', { a: 1 }, options)).id, 'order-7');
  await assert.rejects(app.enqueue('add', { a: 2 }, options), (error) => {
    return error instanceof IdConflict && error.id === 'order-7';
  });
  assert.deepEqual(await plain.lrange(keys.pending('own'), 0, -1), ['order-7']);
  assert.equal((await hash('order-7')).args, '{"a":1}');
});

test('an id whose key is no hash names the key', async () => {
  await plain.set(keys.task('text'), 'x');
  await assert.rejects(app.enqueue('add', {}, { id: 'text' }), (error: Error) => {
    return error instanceof ServerError && error.message.includes(keys.task('text'));
  });
});

test('an id may be bytes that are no text', async () => {
  const bytes = Buffer.from([0xff, 0x00, 0x0a, 0xfe]);
  const { id } = await app.enqueue('add', {}, { id: textOf(bytes), queue: 'bytes' });
  assert.deepEqual(await plain.lrangeBuffer(keys.pending('bytes'), 0, -1), [bytes]);
  assert.equal((await app.handle(id).info()).function, 'add');
  assert.equal(await app.handle(id).cancel(), 'cancelled');
});

test('many are submitted each once and in order, whatever their queues', async () => {
  const jobs = Array.from({ length: 2500 }, (_, n) => app.job('add', { n }, { queue: n % 3 ? 'many-a' : 'many-b' }));
  const handles = await app.enqueueMany(jobs);
  assert.deepEqual(
    handles.map(({ id }) => id),
    jobs.map(({ id }) => id),
  );
  const ids = await plain.lrange(keys.pending('many-b'), 0, -1);
  assert.deepEqual(
    ids.reverse(),
    jobs.filter(({ queue }) => queue === 'many-b').map(({ id }) => id),
  );
  assert.equal(await plain.llen(keys.pending('many-a')), 1666);
  assert.deepEqual(await app.enqueueMany([]), []);
});

test('large arguments are spread over more calls', async () => {
  const text = 'x'.repeat(700_000);
  const handles = await app.enqueueMany([1, 2, 3].map((n) => app.job('echo', { text, n }, { queue: 'large' })));
  assert.equal(handles.length, 3);
  assert.equal(await plain.llen(keys.pending('large')), 3);
});

test('a conflict in the middle of many loses no other', async () => {
  await app.enqueue('add', { a: 1 }, { id: 'taken', queue: 'mixed' });
  const jobs = [app.job('add', {}), app.job('add', { a: 2 }, { id: 'taken', queue: 'mixed' }), app.job('add', {})];
  await assert.rejects(app.enqueueMany(jobs), (error) => {
    assert.ok(error instanceof IdConflict);
    assert.deepEqual(
      error.handles.map((one) => (one as { id: string } | undefined)?.id),
      [jobs[0]!.id, undefined, jobs[2]!.id],
    );
    return true;
  });
});

test('a lost reply submits the task once', async () => {
  const breaker = Breaker.before(server);
  const far = newApp(server, { redis: breaker.url });
  await far.enqueue('echo', {}, { queue: 'warm' });
  breaker.loseReplyTo('lose-me');
  const { id } = await far.enqueue('echo', { text: 'lose-me' }, { queue: 'lossy' });
  await breaker.hasLost();
  assert.deepEqual(await plain.lrange(far.keys.pending('lossy'), 0, -1), [id]);
});

test('calls of one turn cost the server few reads', async () => {
  await app.enqueue('echo');
  const before = await reads();
  await Promise.all(Array.from({ length: 300 }, (_, n) => app.enqueue('echo', { n })));
  assert.ok((await reads()) - before <= 12);
});

async function reads(): Promise<number> {
  return Number(/total_reads_processed:(\d+)/.exec(await plain.info('stats'))?.[1]);
}

test('a signal that has aborted enqueues nothing, and one that aborts ends the waiting', async () => {
  const queue = 'aborted';
  const why = new Error('enough');
  await assert.rejects(app.enqueue('echo', {}, { queue, signal: AbortSignal.abort(why) }), why);
  await assert.rejects(app.enqueueMany([app.job('echo', {}, { queue })], { signal: AbortSignal.abort(why) }), why);
  assert.equal(await plain.llen(keys.pending(queue)), 0);
  const breaker = Breaker.before(server);
  const far = newApp(server, { redis: breaker.url });
  await far.enqueue('echo');
  breaker.silence();
  const abort = new AbortController();
  const waiting = far.enqueue('echo', {}, { signal: abort.signal });
  abort.abort(why);
  await assert.rejects(waiting, why);
  breaker.cut();
});

test('who may not run scripts submits with two plain commands', async () => {
  await plain.call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-@scripting');
  const limited = newApp(server, { redis: { path: server.socket, username: 'plain', password: 'secret' } });
  const queue = 'plainly';
  const { id } = await limited.enqueue('echo', { text: 'a' }, { queue, timeLimit: 2 });
  const { 'pending-created': created, ...fields } = await plain.hgetall(limited.keys.task(id));
  assert.ok(created);
  assert.deepEqual(fields, { function: 'echo', state: 'pending', args: '{"text":"a"}', 'time-limit': '2' });
  const jobs = [limited.job('echo', {}, { queue, front: true }), limited.job('echo', {}, { queue, delay: 60 })];
  await limited.enqueueMany(jobs);
  assert.deepEqual(await plain.lrange(limited.keys.pending(queue), 0, -1), [id, jobs[0]!.id]);
  assert.ok(await plain.zscore(limited.keys.scheduled(queue), jobs[1]!.id));
  await limited.enqueue('echo', {}, { queue, id: 'mine' });
  await assert.rejects(limited.enqueue('other', {}, { queue, id: 'mine' }), IdConflict);
  assert.equal(await limited.handle('mine').cancel(), 'asked');
  assert.deepEqual(await plain.lrange(limited.keys.cancel, 0, -1), ['mine']);
});

test('a producer under its recipe cancels by asking the workers, and runs no failed task again', async () => {
  const page = await readFile(`${ROOT}docs/redis.md`, 'utf8');
  const recipe = /ACL SETUSER producer (.*)/.exec(page)![1]!;
  const prefix = 'recipe';
  const words = recipe.replaceAll('doshit:', `${prefix}:`).replace('>SECRET', '>secret').split(' ');
  await plain.call('ACL', 'SETUSER', 'producer', ...words);
  const limited = newApp(server, { redis: { path: server.socket, username: 'producer', password: 'secret' }, prefix });
  const handle = await limited.enqueue('echo');
  assert.equal(await handle.cancel(), 'asked');
  assert.deepEqual(await plain.lrange(limited.keys.cancel, 0, -1), [handle.id]);
  await plain.hset(limited.keys.task('1'), { function: 'echo', state: 'finished', result: 'failed', queue: 'default' });
  await assert.rejects(limited.handle('1').retry(), NotPermitted);
  assert.equal(await plain.hget(limited.keys.task('1'), 'state'), 'finished');
});

test('a full server refuses in one clear line', async () => {
  await plain.config('SET', 'maxmemory', '1');
  try {
    await assert.rejects(app.enqueue('echo'), (error: Error) => {
      return error instanceof ServerError && /maxmemory; free memory or raise it/.test(error.message);
    });
  } finally {
    await plain.config('SET', 'maxmemory', '0');
  }
});
