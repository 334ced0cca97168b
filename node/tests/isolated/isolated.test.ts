/** What holds for runs that have a process of their own: limits, cancel, output, batches, and who is to blame for a death. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TaskFailed } from '../../src/errors.js';
import { startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { childrenOf, failureOf, isAlive, serve } from '../host/helper.js';
import { newApp } from '../worker/helper.js';

const server = await startServer();

const SOURCE = `
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
const alone = (handler, more = {}) => ({ isolate: true, handler, ...more });
export default {
  add: alone(({ a, b }) => a + b),
  where: alone(() => process.pid),
  work: alone(({ n }) => { const end = performance.now() + 0.3; while (performance.now() < end); return n; }),
  mixed: alone(({ n, kind, ledger }) => {
    appendFileSync(ledger, n + '\\n');
    if (kind === 'end') process.kill(process.pid, 'SIGKILL');
    if (kind === 'long') for (const end = performance.now() + 60; performance.now() < end;);
    return n;
  }),
  spin: alone((_, task) => { task.progress(0, 'began'); for (;;); }),
  // Says that it began, and goes on until it is told to end.
  wait: alone((_, task) => new Promise((_, reject) => {
    task.progress(0, 'began');
    setInterval(() => {}, 1000);
    task.signal.addEventListener('abort', () => reject(task.signal.reason));
  })),
  hoard: alone(async () => {
    const kept = [];
    for (;;) { kept.push(Buffer.alloc(1_000_000, 'x')); await sleep(0); }
  }, { memoryLimit: '100MB' }),
  // It hears nothing of the order to end, and what it forks counts too.
  below: alone(() => spawnSync(process.execPath, ['-e', 'const k = []; for (;;) k.push(Buffer.alloc(1e6, 1));']).status,
    { memoryLimit: '100MB' }),
  modest: alone(() => Buffer.alloc(30_000_000, 1).length, { memoryLimit: '200MB' }),
  burn: alone(() => { const end = performance.now() + 150; while (performance.now() < end); }),
  say: alone(() => {
    console.log('from the console');
    spawnSync('sh', ['-c', 'echo from below; echo beside >&2'], { stdio: ['ignore', 'inherit', 'inherit'] });
  }),
  pieces: alone(({ pieces }) => { for (const piece of pieces) process.stdout.write(piece); }),
  flood: alone(({ chunks }) => {
    spawnSync('sh', ['-c', 'head -c ' + chunks * 1e6 + ' /dev/zero | tr "\\\\0" x'], { stdio: ['ignore', 'inherit', 'ignore'] });
    for (let n = 0; n < chunks; n++) process.stdout.write('y'.repeat(1e6));
    return process.memoryUsage.rss();
  }),
  daemon: alone(({ how }) => {
    if (how === 'node') {
      const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
      child.unref();
      return child.pid;
    }
    return Number(spawnSync('sh', ['-c', 'setsid sleep 1000 >/dev/null 2>&1 & echo $!']).stdout);
  }),
  keep: alone((_, task) => {
    const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    task.progress(0, String(child.pid));
    for (;;);
  }),
};
`;

interface Told {
  info(): Promise<{ progress: { text: string } | null } | undefined>;
}
/** What a run says when it begins. */
const began = (handle: Told) =>
  until(async () => (await handle.info())?.progress?.text, { what: 'the beginning of a run' });

const outputOf = async (app: ReturnType<typeof newApp>, id: string) =>
  JSON.stringify(await server.run('XRANGE', app.keys.log(id), '-', '+'));

test('a run has another process than the runs that share one, and processes are kept for the next', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE, '--isolated', '1');
  const first = await (await app.enqueue('where', {})).result({ timeout: 20 });
  assert.equal(await (await app.enqueue('where', {})).result({ timeout: 20 }), first);
  assert.ok(childrenOf(worker.pid).includes(first as number));
  worker.process.kill('SIGTERM');
  assert.equal(await worker.exited, 0, worker.said);
  assert.ok(!isAlive(first as number));
});

test('of two thousand short tasks each runs once, in batches over several processes', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '2');
  const jobs = Array.from({ length: 2000 }, (_, n) => app.job('work', { n }));
  const handles = await app.enqueueMany(jobs);
  const results = await Promise.all(handles.map((handle) => handle.result({ timeout: 60 })));
  assert.deepEqual(results, [...results.keys()]);
  const infos = await Promise.all(handles.map((handle) => handle.info()));
  assert.ok(infos.every((info) => info!.attempts === 1));
});

test('whatever runs end their process or turn out long, each other task runs once, and only they are to blame', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '2');
  const ledger = join(server.folder, 'ledger');
  // One in 60 is long, one in 97 ends its process; the others take next to nothing, so they go in batches.
  const kindOf = (n: number) => (n % 97 === 96 ? 'end' : n % 60 === 59 ? 'long' : 'short');
  const jobs = Array.from({ length: 1500 }, (_, n) => app.job('mixed', { n, kind: kindOf(n), ledger }));
  const handles = await app.enqueueMany(jobs);
  const codes = await Promise.all(
    handles.map((handle) => handle.result({ timeout: 80 }).catch((error: TaskFailed) => error.code)),
  );
  assert.deepEqual(
    codes,
    jobs.map((_, n) => (kindOf(n) === 'end' ? 'exited' : n)),
  );
  const runs = readFileSync(ledger, 'utf8').trim().split('\n').map(Number);
  assert.deepEqual(
    runs.sort((a, b) => a - b),
    jobs.map((_, n) => n),
  );
  const infos = await Promise.all(handles.map((handle) => handle.info()));
  assert.ok(infos.every((info) => info!.attempts === 1));
});

test('an endless loop ends soon after its time limit, and its processor time is told', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  await (await app.enqueue('add', { a: 1, b: 2 })).result({ timeout: 20 });
  const start = performance.now();
  const handle = await app.enqueue('spin', {}, { timeLimit: 1 });
  const failure = await failureOf(handle);
  // Less than two seconds where nothing else runs; half of that is the limit.
  assert.ok(performance.now() - start < 6000, `${performance.now() - start} ms`);
  assert.equal(failure.code, 'time-limit');
  assert.match(failure.reason, /time limit of 1 s/);
  assert.ok(Number(await server.run('HGET', app.keys.task(handle.id), 'cpu-time')) > 0);
});

test('what waits behind a run that turns out long runs elsewhere meanwhile', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '2');
  const warm = await app.enqueueMany(Array.from({ length: 300 }, () => app.job('add', { a: 1, b: 1 })));
  await Promise.all(warm.map((handle) => handle.result({ timeout: 20 })));
  const [spin, ...rest] = await app.enqueueMany([
    app.job('spin', {}, { timeLimit: 20 }),
    ...Array.from({ length: 300 }, (_, a) => app.job('add', { a, b: 0 })),
  ]);
  const results = await Promise.all(rest.map((handle) => handle.result({ timeout: 15 })));
  assert.deepEqual(results, [...results.keys()]);
  assert.equal(await spin!.state(), 'executing');
});

test('who adds more memory than its limit ends by that, also by what it has started, and the worker serves on', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE);
  for (const name of ['hoard', 'below']) {
    const failure = await failureOf(await app.enqueue(name, {}));
    assert.equal(failure.code, 'memory-limit', failure.reason);
    assert.match(failure.reason, /memory limit of 100,000,000 bytes/);
  }
  const modest = await app.enqueue('modest', {});
  assert.equal(await modest.result({ timeout: 20 }), 30_000_000);
  const peak = Number(await server.run('HGET', app.keys.task(modest.id), 'memory-peak'));
  assert.ok(peak > 20_000_000 && peak < 200_000_000, String(peak));
  assert.equal(worker.process.exitCode, null);
});

test('a run that took long tells its processor time without being asked', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE);
  const handle = await app.enqueue('burn', {});
  await handle.result({ timeout: 20 });
  assert.ok(Number(await server.run('HGET', app.keys.task(handle.id), 'cpu-time')) > 0);
});

test('a cancelled run hears of it by its signal; one that is deaf is killed', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '2');
  for (const name of ['wait', 'spin']) {
    const handle = await app.enqueue(name, {});
    await began(handle);
    await handle.cancel();
    const failure = await failureOf(handle);
    assert.equal(failure.code, 'cancelled');
    assert.equal(failure.reason.includes('killed'), name === 'spin', failure.reason);
  }
  assert.equal(await (await app.enqueue('add', { a: 1, b: 2 })).result({ timeout: 20 }), 3);
});

test('what a run and what it has started write is kept with it', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '1');
  const handles = await app.enqueueMany([app.job('say'), app.job('add', { a: 1, b: 2 })]);
  for (const handle of handles) await handle.result({ timeout: 20 });
  const text = await outputOf(app, handles[0]!.id);
  for (const word of ['from the console', 'from below', 'beside']) assert.ok(text.includes(word), text);
  assert.equal(await outputOf(app, handles[1]!.id), '[]');
});

test('a flood of output is read, cut, and costs no memory', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE, '--isolated', '1');
  const handle = await app.enqueue('flood', { chunks: 300 });
  const rss = (await handle.result({ timeout: 60 })) as number;
  assert.ok(rss < 250_000_000, `the run's process: ${rss} bytes`);
  const own = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${worker.pid}/status`, 'utf8'))![1]) * 1024;
  assert.ok(own < 250_000_000, `the worker: ${own} bytes`);
  const text = await outputOf(app, handle.id);
  assert.ok(text.includes('more was written than is kept'));
  assert.ok(text.length < 200_000, String(text.length));
});

test('output that is full to the last byte says that there was more', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '1', '--output-cap', '100');
  const handle = await app.enqueue('pieces', { pieces: ['x'.repeat(100), 'more'] });
  await handle.result({ timeout: 20 });
  const text = await outputOf(app, handle.id);
  assert.ok(text.includes('more was written than is kept'), text);
});

test('what a run leaves running ends with it, if it has left its group and its parent too', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '1');
  for (const how of ['node', 'shell']) {
    const pid = (await (await app.enqueue('daemon', { how })).result({ timeout: 20 })) as number;
    assert.ok(pid > 1);
    assert.ok(!isAlive(pid), how);
  }
});

test('what a killed run has started is killed with it', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '1');
  const handle = await app.enqueue('keep', {}, { timeLimit: 1 });
  const pid = Number(await began(handle));
  assert.ok(isAlive(pid));
  assert.equal((await failureOf(handle)).code, 'time-limit');
  await until(() => !isAlive(pid), { what: 'the end of what it started' });
});

test('a process that is killed from outside is followed by another, and its run is failed with the signal named', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '1');
  const pid = (await (await app.enqueue('where', {})).result({ timeout: 20 })) as number;
  const handle = await app.enqueue('spin', {});
  await began(handle);
  process.kill(pid, 'SIGKILL');
  const failure = await failureOf(handle);
  assert.equal(failure.code, 'exited');
  assert.match(failure.reason, /SIGKILL/);
  assert.notEqual(await (await app.enqueue('where', {})).result({ timeout: 20 }), pid);
});

test('a process is replaced after so many runs', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, '--isolated', '1', '--recycle-runs', '2');
  const pids: unknown[] = [];
  for (let n = 0; n < 4; n++) pids.push(await (await app.enqueue('where', {})).result({ timeout: 20 }));
  assert.equal(new Set(pids).size, 2, String(pids));
});

test('a worker that is killed leaves no process of an isolated run, nor what that has started', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE, '--isolated', '1');
  const pid = Number(await began(await app.enqueue('keep', {})));
  const below = [...childrenOf(worker.pid), pid];
  assert.ok(below.length >= 3 && below.every(isAlive));
  worker.process.kill('SIGKILL');
  await until(() => !below.some(isAlive), { what: 'the end of all processes' });
});

test('a stop hands an isolated run back when its grace is over', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE, '--grace', '0', '--isolated', '1');
  const handle = await app.enqueue('spin', {});
  await began(handle);
  worker.process.kill('SIGTERM');
  assert.equal(await worker.exited, 0, worker.said);
  assert.equal(await handle.state(), 'pending');
});
