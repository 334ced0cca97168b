/** What a worker does with a task, by whomever it was made. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cancel, Retry, TaskCancelled, TaskFailed } from '../../src/errors.js';
import type { Task } from '../../src/worker/task.js';
import { startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { Gate, newApp, work } from './helper.js';

const server = await startServer();

async function failureOf(handle: { result(options?: object): Promise<unknown> }): Promise<TaskFailed> {
  const error = await handle.result({ timeout: 20 }).then(
    (value) => assert.fail(`it returned ${JSON.stringify(value)}`),
    (reason) => reason,
  );
  assert.ok(error instanceof TaskFailed, String(error));
  return error;
}

test('a task made by plain commands is run, and its end is a message and a hash', async () => {
  const app = newApp(server);
  const [plain, ear] = [server.plain(), server.plain()];
  const heard: string[] = [];
  ear.on('message', (_, message) => heard.push(message));
  await ear.subscribe(app.keys.results);
  await plain.hset(app.keys.task('one'), 'function', 'add', 'args', '{"a":1,"b":2}');
  await plain.lpush(app.keys.pending('default'), 'one');
  await work(app, { add: ({ a, b }) => a + b });
  await until(() => heard.length > 0);
  const task = await plain.hgetall(app.keys.task('one'));
  assert.equal(task.state, 'finished');
  assert.equal(task.result, 'successful');
  assert.equal(task['result-value'], '3');
  plain.disconnect();
  ear.disconnect();
});

test('falsy results are results, and undefined is null', async () => {
  const app = newApp(server);
  const values = [0, '', false, null, undefined];
  await work(app, { give: ({ at }) => values[at] });
  for (const [at, value] of values.entries()) {
    assert.equal(await (await app.enqueue('give', { at })).result({ timeout: 20 }), value ?? null);
  }
});

test('of a thousand tasks each runs once', async () => {
  const app = newApp(server);
  const runs = new Map<number, number>();
  await work(app, {
    count: async ({ n }) => {
      runs.set(n, (runs.get(n) ?? 0) + 1);
      return n;
    },
  });
  const handles = await app.enqueueMany(Array.from({ length: 1000 }, (_, n) => app.job('count', { n })));
  const results = await Promise.all(handles.map((handle) => handle.result({ timeout: 30 })));
  assert.deepEqual(results, [...results.keys()]);
  assert.deepEqual([...runs.values()], Array(1000).fill(1));
});

test('no more runs at once than concurrency allows', async () => {
  const app = newApp(server);
  const gate = new Gate();
  let running = 0;
  let most = 0;
  const hold = async () => {
    most = Math.max(most, ++running);
    await gate.opened;
    running -= 1;
  };
  await work(app, { hold }, { concurrency: 3 });
  const handles = await app.enqueueMany(Array.from({ length: 9 }, () => app.job('hold')));
  await until(() => running === 3);
  gate.open();
  await Promise.all(handles.map((handle) => handle.result({ timeout: 20 })));
  assert.equal(most, 3);
});

test('a failed run is run again as often as its function says, and each attempt is told', async () => {
  const app = newApp(server);
  const attempts: number[] = [];
  const handler = (_: unknown, task: { attempt: number }) => {
    attempts.push(task.attempt);
    if (task.attempt < 3) throw new Error(`attempt ${task.attempt}`);
    return 'done';
  };
  await work(app, { shaky: { handler, retries: 2, retryDelay: 0 } });
  const handle = await app.enqueue('shaky');
  assert.equal(await handle.result({ timeout: 20 }), 'done');
  assert.deepEqual(attempts, [1, 2, 3]);
});

test('only the errors of retryOn are worth another run', async () => {
  const app = newApp(server);
  let runs = 0;
  const handler = () => {
    runs += 1;
    throw new TypeError('no');
  };
  await work(app, { picky: { handler, retries: 5, retryDelay: 0, retryOn: [RangeError] } });
  assert.equal((await failureOf(await app.enqueue('picky'))).code, 'exception');
  assert.equal(runs, 1);
});

test('a run may ask to be run again, or say that it need not be done', async () => {
  const app = newApp(server);
  await work(app, {
    again: (_, { attempt }) => (attempt === 1 ? new Retry({ after: 0 }) : attempt),
    never: () => {
      throw new Cancel('nobody needs it');
    },
  });
  assert.equal(await (await app.enqueue('again')).result({ timeout: 20 }), 2);
  const { code, reason } = await failureOf(await app.enqueue('never'));
  assert.deepEqual([code, reason], ['cancelled', 'nobody needs it']);
});

test('a cancelled run hears of it by its signal', async () => {
  const app = newApp(server);
  const began = new Gate();
  let why: unknown;
  const handler = (_: unknown, { signal }: { signal: AbortSignal }) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        why = signal.reason;
        reject(signal.reason);
      });
      began.open();
    });
  await work(app, { wait: handler });
  const handle = await app.enqueue('wait');
  await began.opened;
  await handle.cancel();
  assert.equal((await failureOf(handle)).code, 'cancelled');
  assert.ok(why instanceof TaskCancelled);
});

test('a run over its time limit is aborted, and one that never settles is given up', async () => {
  const app = newApp(server);
  await work(app, {
    heeds: {
      timeLimit: 0.1,
      handler: (_, { signal }) => new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason))),
    },
    deaf: { timeLimit: 0.1, handler: () => new Promise(() => {}) },
    quick: () => 'still here',
  });
  const heeds = await failureOf(await app.enqueue('heeds'));
  assert.equal(heeds.code, 'time-limit');
  assert.match(heeds.reason, /^time limit of 0\.1 s passed: it ran for [\d.]+ s$/);
  assert.match((await failureOf(await app.enqueue('deaf'))).reason, /given up/);
  assert.equal(await (await app.enqueue('quick')).result({ timeout: 20 }), 'still here');
});

test('whatever a handler throws or returns, its task ends with the right code and the worker goes on', async () => {
  const app = newApp(server);
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  await work(app, {
    text: () => {
      throw 'a text';
    },
    nothing: () => Promise.reject(),
    trap: () => {
      throw Object.defineProperty(new Error('x'), 'message', {
        get() {
          throw new Error('again');
        },
      });
    },
    cycle: () => cycle,
    large: () => 'x'.repeat(2 << 20),
    // biome-ignore lint/suspicious/noThenProperty: a promise of another library
    thenable: () => ({ then: (_: unknown, no: (error: Error) => void) => no(new Error('late')) }),
    add: ({ a, b }) => a + b,
  });
  const codes: string[] = [];
  for (const name of ['text', 'nothing', 'trap', 'cycle', 'large', 'thenable']) {
    codes.push((await failureOf(await app.enqueue(name))).code);
  }
  assert.deepEqual(codes, ['exception', 'exception', 'exception', 'result-not-json', 'result-too-large', 'exception']);
  assert.equal(await (await app.enqueue('add', { a: 1, b: 1 })).result({ timeout: 20 }), 2);
});

test('the reason and the stack of a failure are those of the handler', async () => {
  const app = newApp(server);
  await work(app, {
    boom: () => {
      throw new TypeError('in\nvain', { cause: new Error('deeper') });
    },
  });
  const { reason, remoteStack } = await failureOf(await app.enqueue('boom'));
  assert.equal(reason, 'TypeError: in\\nvain');
  assert.match(remoteStack, /contract\.test/);
  assert.match(remoteStack, /Caused by: Error: deeper/);
  assert.doesNotMatch(remoteStack, /worker\/local/);
});

test('arguments that are none are refused, and no handler sees them', async () => {
  const app = newApp(server);
  let runs = 0;
  await work(app, { any: () => ++runs });
  const plain = server.plain();
  for (const [at, args] of ['[1]', '1', '{', '{"a":NaN}', '{"__proto__":1}', Buffer.from([0xff])].entries()) {
    await plain.hset(app.keys.task(`t${at}`), 'function', 'any', 'args', args);
    await plain.lpush(app.keys.pending('default'), `t${at}`);
    assert.equal((await failureOf(app.handle(`t${at}`))).code, 'bad-args');
  }
  assert.equal(runs, 0);
  plain.disconnect();
});

test('arguments are checked by a JSON Schema or a Standard Schema, whose output the handler gets', async () => {
  const app = newApp(server);
  const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] };
  const validate = async (value: unknown) =>
    typeof (value as { a: unknown }).a === 'string'
      ? { value: { a: Number((value as { a: string }).a) } }
      : { issues: [{ message: 'expected text', path: ['a'] }] };
  const standard = { '~standard': { version: 1 as const, vendor: 'test', validate } };
  await work(app, {
    plain: { schema, handler: ({ a }) => a },
    standard: { schema: standard, handler: ({ a }) => a },
  });
  assert.equal(await (await app.enqueue('plain', { a: 3 })).result({ timeout: 20 }), 3);
  assert.equal(
    (await failureOf(await app.enqueue('plain', { a: 'x' }))).reason,
    'args.a: expected integer, got string',
  );
  assert.equal(await (await app.enqueue('standard', { a: '4' })).result({ timeout: 20 }), 4);
  assert.equal((await failureOf(await app.enqueue('standard', { a: 5 }))).reason, 'args.a: expected text');
});

test('of a schema that tells no JSON Schema a warning says that callers do not know it', async () => {
  const validate = (value: unknown) => ({ value });
  const schemaOf = (vendor: string, more: object) => ({
    '~standard': { version: 1 as const, vendor, validate, ...more },
  });
  const says = (input: () => unknown) => ({ jsonSchema: { input } });
  const refuses = () => {
    throw new Error('a date is no JSON');
  };
  const { said } = await work(newApp(server), {
    silent: { schema: schemaOf('valibot', {}), handler: () => 1 },
    unable: { schema: schemaOf('zod', says(refuses)), handler: () => 1 },
    telling: {
      schema: schemaOf(
        'zod',
        says(() => ({ properties: {} })),
      ),
      handler: () => 1,
    },
    plain: { schema: {}, handler: () => 1 },
    free: () => 1,
  });
  const why = (vendor: string) =>
    `its schema of ${vendor} tells no JSON Schema, so the catalog does not say what it takes; calls are checked by its worker alone`;
  assert.deepEqual(said, [
    `warning: function "silent": ${why('valibot')}`,
    `warning: function "unable": ${why('zod')}`,
  ]);
});

test('an id that is not UTF-8 goes back byte for byte', async () => {
  const app = newApp(server);
  const plain = server.plain();
  const id = Buffer.from([0xff, 0x00, 0x0a, 0xfe]);
  const key = Buffer.concat([Buffer.from(app.keys.task('')), id]);
  await plain.hset(key, 'function', 'one');
  await plain.lpush(app.keys.pending('default'), id);
  await work(app, { one: () => 1 });
  await until(async () => (await plain.hget(key, 'result-value')) === '1');
  plain.disconnect();
});

test('what a run logs and how far it is are kept with its task', async () => {
  const app = newApp(server);
  const handler = (_: unknown, task: { log(...parts: unknown[]): void; progress(f: number, text: string): void }) => {
    task.log('one', { two: 2 });
    console.debug('three');
    task.progress(0.5, 'half');
  };
  await work(app, { tell: handler }, { captureConsole: true });
  const handle = await app.enqueue('tell');
  await handle.result({ timeout: 20 });
  const entries = (await server.run('XRANGE', app.keys.log(handle.id), '-', '+')) as [string, string[]][];
  assert.deepEqual(
    entries.map(([, fields]) => [fields[1], fields[5]]),
    [
      ['log', 'one {"two":2}\n'],
      ['stdout', 'three\n'],
    ],
  );
  assert.match(String(await server.run('HGET', app.keys.task(handle.id), 'progress')), /"fraction":0\.5,"text":"half"/);
});

test('a run knows its task', async () => {
  const app = newApp(server);
  const handler = (_: unknown, { id, function: name, queue, attempt, username, traceparent }: Task) => ({
    ...{ id, name, queue, attempt, username, traceparent },
  });
  await work(app, { who: handler }, { queue: 'other' });
  const options = { id: 'me', queue: 'other', username: 'ann', traceparent: 'tp' };
  const told = await (await app.enqueue('who', {}, options)).result({ timeout: 20 });
  assert.deepEqual(told, { id: 'me', name: 'who', queue: 'other', attempt: 1, username: 'ann', traceparent: 'tp' });
});

test('a function that nobody serves fails after its grace, and the names that are near are told', async () => {
  const app = newApp(server);
  await work(app, { resize: () => 1 }, {}, { unknownGrace: 0 });
  const { code, reason } = await failureOf(await app.enqueue('resise'));
  assert.equal(code, 'unknown-function');
  assert.equal(reason, 'no worker serves a function "resise"; did you mean resize');
});

test('two workers on one queue, each with a function of its own: all succeed, and no attempt is lost', async () => {
  const app = newApp(server);
  await work(app, { left: () => 'left' });
  await work(app, { right: () => 'right' });
  const names = Array.from({ length: 400 }, (_, n) => (n % 2 ? 'left' : 'right'));
  const handles = await app.enqueueMany(names.map((name) => app.job(name)));
  assert.deepEqual(await Promise.all(handles.map((handle) => handle.result({ timeout: 30 }))), names);
  const plain = server.plain();
  const attempts = await Promise.all(handles.map(({ id }) => plain.hget(app.keys.task(id), 'attempts')));
  assert.deepEqual(new Set(attempts), new Set(['1']));
  plain.disconnect();
});

test('options and functions that cannot be are refused, and named', async () => {
  const app = newApp(server);
  const refuse = async (functions: object, options: object, message: RegExp) => {
    await assert.rejects(async () => work(app, functions as never, options), { message });
  };
  await refuse({}, {}, /there is none/);
  await refuse({ a: 1 }, {}, /function "a": give a function/);
  await refuse({ a: { handler: () => 1, timeout: 3 } }, {}, /option 'timeout': there is no such option/);
  await refuse({ a: { handler: () => 1, retries: -1 } }, {}, /option 'retries'/);
  await refuse({ a: { handler: () => 1, isolate: true } }, {}, /isolate needs a process for each run/);
  await refuse({ a: { handler: () => 1, memoryLimit: '1MB' } }, {}, /memoryLimit needs a process for each run/);
  await refuse({ a: () => 1 }, { concurrency: 0 }, /option 'concurrency'/);
  await refuse({ a: () => 1 }, { queue: 'a', queues: ['b'] }, /not both/);
  await refuse({ a: () => 1 }, { parallel: 3 }, /option 'parallel': there is none/);
});
