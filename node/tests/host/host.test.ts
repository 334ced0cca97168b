/** What a handler can do to the process that it shares with others, and what becomes of it and of them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { newApp } from '../worker/helper.js';
import { childrenOf, failureOf, isAlive, serve } from './helper.js';

const server = await startServer();

// `wait` runs until its file's `open` was called; it says that it began by its progress.
const SOURCE = `
import { setTimeout as sleep } from 'node:timers/promises';
let isOpen = false;
export const add = ({ a, b }) => a + b;
export const open = () => { isOpen = true; };
export async function wait(_, task) {
  task.progress(0, 'began');
  while (!isOpen) await sleep(5);
  return task.attempt;
}
export const spin = async () => { await sleep(1); for (;;); };
export const deaf = { handler: () => new Promise(() => {}), timeLimit: 0.2 };
export const odd = () => { throw 'text'; };
export const nothing = () => Promise.reject();
export const leave = async ({ code }) => { await sleep(1); process.exit(code); };
export const later = () => new Promise(() => setTimeout(() => { throw new TypeError('later'); }, 1));
export const floating = () => new Promise(() => { Promise.reject(new TypeError('floating')); });
export const hold = (_, task) => { task.progress(0, 'began'); for (;;); };
export const say = async () => {
  console.log('one'); await sleep(1); process.stdout.write('two\\n'); console.error('three');
};
export const quit = () => { setTimeout(() => process.abort(), 5); return new Promise(() => {}); };
`;

const began = (handle: { info(): Promise<{ progress?: unknown } | undefined> }) =>
  until(async () => (await handle.info())?.progress, { what: 'the beginning of a run' });

test('a task runs in a process below the worker, and a signal stops both', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE);
  assert.equal(await (await app.enqueue('add', { a: 1, b: 2 })).result({ timeout: 20 }), 3);
  const below = childrenOf(worker.pid);
  assert.ok(below.length >= 1);
  worker.process.kill('SIGTERM');
  assert.equal(await worker.exited, 0, worker.said);
  assert.ok(!below.some(isAlive));
});

test('the command warns of a schema that tells callers nothing', async () => {
  const source = `
    const schema = { '~standard': { version: 1, vendor: 'valibot', validate: (value) => ({ value }) } };
    export const add = { schema, handler: () => 1 };
  `;
  const worker = await serve(server, newApp(server), source);
  await worker.says('function "add": its schema of valibot tells no JSON Schema');
});

test('of a thousand tasks each runs once', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  const jobs = Array.from({ length: 1000 }, (_, a) => app.job('add', { a, b: 0 }));
  const results = await Promise.all((await app.enqueueMany(jobs)).map((handle) => handle.result({ timeout: 30 })));
  assert.deepEqual(results, [...results.keys()]);
});

test('what is thrown and is no Error, rejected with nothing, or thrown where nobody catches, fails its run alone', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE);
  const [host] = childrenOf(worker.pid);
  const neighbour = await app.enqueue('wait', {});
  await began(neighbour);
  for (const [name, reason] of [
    ['odd', '"text"'],
    ['nothing', 'undefined'],
    ['later', 'TypeError: later'],
    ['floating', 'TypeError: floating'],
  ] as const) {
    const failure = await failureOf(await app.enqueue(name, {}));
    assert.equal(failure.code, 'exception', name);
    assert.ok(failure.reason.includes(reason), failure.reason);
  }
  await app.enqueue('open', {});
  assert.equal(await neighbour.result({ timeout: 20 }), 1);
  assert.deepEqual(childrenOf(worker.pid), [host]);
});

test('a run that never settles ends by its limit, and its neighbours run again uncounted', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  const neighbour = await app.enqueue('wait', {});
  await began(neighbour);
  assert.equal((await failureOf(await app.enqueue('deaf', {}))).code, 'time-limit');
  await app.enqueue('open', {});
  assert.equal(await neighbour.result({ timeout: 20 }), 1);
});

test('a run that keeps the event loop busy ends by its limit soon, and the worker serves on', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  const failure = await failureOf(await app.enqueue('spin', {}, { timeLimit: 0.3 }));
  assert.equal(failure.code, 'time-limit');
  assert.match(failure.reason, /busy at .*tasks\d+\.mjs:\d+/);
  assert.equal(await (await app.enqueue('add', { a: 1, b: 2 })).result({ timeout: 20 }), 3);
});

test('who keeps the event loop busy is to blame, not the neighbour that could not heed its limit', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  const neighbour = await app.enqueue('wait', {}, { timeLimit: 0.5 });
  await began(neighbour);
  const failure = await failureOf(await app.enqueue('spin', {}));
  assert.equal(failure.code, 'exited');
  assert.match(failure.reason, /busy/);
  await app.enqueue('open', {});
  assert.equal(await neighbour.result({ timeout: 20 }), 1);
});

test('process.exit in a handler ends its run with the code named, whatever the code, and the worker serves on', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  const neighbour = await app.enqueue('wait', {});
  await began(neighbour);
  for (const code of [0, 3]) {
    const failure = await failureOf(await app.enqueue('leave', { code }));
    assert.equal(failure.code, 'exited');
    assert.ok(failure.reason.includes(`process.exit(${code})`), failure.reason);
  }
  assert.equal((await failureOf(await app.enqueue('quit', {}))).code, 'exited');
  await app.enqueue('open', {});
  assert.equal(await neighbour.result({ timeout: 20 }), 1);
});

test('the process that a run has ended is followed at once, however often that happens', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  const took: number[] = [];
  for (let n = 0; n < 7; n++) {
    const start = performance.now();
    await failureOf(await app.enqueue('leave', { code: 3 }));
    took.push(performance.now() - start);
  }
  // What a process costs to start is not known here, but the first ones have shown it.
  assert.ok(Math.min(...took.slice(5)) < 5 * Math.max(...took.slice(0, 3)), `${took}`);
});

test('what a run prints is kept with it', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  const handle = await app.enqueue('say', {});
  await handle.result({ timeout: 20 });
  const lines = await server.run('XRANGE', app.keys.log(handle.id), '-', '+');
  const text = JSON.stringify(lines);
  for (const word of ['one', 'two', 'three']) assert.ok(text.includes(word), text);
});

test('a worker that is killed leaves no process, even if a handler keeps the event loop busy', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE);
  await began(await app.enqueue('wait', {}));
  await app.enqueue('spin', {});
  const below = childrenOf(worker.pid);
  assert.ok(below.length >= 1);
  worker.process.kill('SIGKILL');
  await until(() => !below.some(isAlive), { what: 'the end of all processes' });
});

test('a stop lets runs end, and a second signal hands them back at once', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE, '--grace', '60');
  const handle = await app.enqueue('wait', {});
  await began(handle);
  worker.process.kill('SIGTERM');
  await worker.says('stopping');
  worker.process.kill('SIGTERM');
  assert.equal(await worker.exited, 0, worker.said);
  assert.equal(await handle.state(), 'pending');
  assert.doesNotMatch(worker.said, /error/);
});
