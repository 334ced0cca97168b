/** Bad handlers, in the shared process and in one of their own: the right code, and nobody else is harmed. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Client } from '../../src/client/index.js';
import { startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { newApp } from '../worker/helper.js';
import { childrenOf, failureOf, isAlive, serve } from './helper.js';

const server = await startServer();

// Each is served twice: by its name in the shared process, and as `alone ...` in one of its own.
const SOURCE = `
import { spawn } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
const bad = {
  text: () => { throw 'a text'; },
  nothing: () => Promise.reject(undefined),
  never: () => new Promise(() => {}),
  loop: () => { for (;;); },
  leave: async () => { await sleep(1); process.exit(0); },
  hog: () => { const kept = []; for (;;) kept.push({ n: kept.length, s: [kept.length] }); },
  shut: () => closeSync(3), // the line on which its process tells of runs
  deafen: () => { closeSync(5); return new Promise(() => {}); }, // the one on which it hears of them
  hide: () => { closeSync(4); return new Promise(() => {}); }, // the one on which its watchdog answers
  die: () => { process.kill(process.pid, 'SIGKILL'); for (;;); },
  daemon: () => {
    const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    child.unref();
    return child.pid;
  },
};
const all = {
  wait: async ({ gate }, task) => {
    task.progress(0, 'began');
    while (!existsSync(gate)) await sleep(5);
    return task.attempt;
  },
};
for (const [name, handler] of Object.entries(bad)) {
  all[name] = handler;
  all['alone ' + name] = { isolate: true, handler };
}
export default all;
`;

// V8 takes long to fill gigabytes, so all processes of these workers get a small heap.
const SMALL = { NODE_OPTIONS: '--max-old-space-size=64' };
const LANES = ['', 'alone '];
let gates = 0;

/** A run beside others that ends when it is told to. It ends well, and in its first attempt that counts. */
async function neighbourOf(app: Client): Promise<{ finishes(): Promise<void> }> {
  const gate = join(server.folder, `gate${++gates}`);
  const handle = await app.enqueue('wait', { gate });
  await until(async () => (await handle.info())?.progress, { what: 'the beginning of a run' });
  return {
    async finishes() {
      writeFileSync(gate, '');
      assert.equal(await handle.result({ timeout: 30 }), 1);
    },
  };
}

const BAD = [
  ['text', 'exception', /threw "a text", which is no Error/, {}],
  ['nothing', 'exception', /threw undefined, which is no Error/, {}],
  ['never', 'time-limit', /time limit of 0.3 s/, { timeLimit: 0.3 }],
  ['loop', 'time-limit', /time limit of 0.3 s/, { timeLimit: 0.3 }],
  ['leave', 'exited', /process\.exit\(0\)/, {}],
  ['hog', 'exited', /SIGABRT.*heap out of memory/, {}],
  ['die', 'exited', /SIGKILL/, {}],
  ['shut', 'exited', /SIGKILL/, {}],
  ['deafen', 'exited', /SIGKILL/, {}],
  ['hide', 'exited', /SIGKILL/, {}],
] as const;

for (const [name, code, reason, options] of BAD) {
  test(`${name}: ${code}, in either process, and the neighbours are finished uncounted`, async () => {
    const app = newApp(server);
    const worker = await serve(server, app, SOURCE, SMALL);
    for (const lane of LANES) {
      const neighbour = await neighbourOf(app);
      const failure = await failureOf(await app.enqueue(lane + name, {}, options));
      assert.equal(failure.code, code, lane + failure.reason);
      assert.match(failure.reason, reason, lane);
      await neighbour.finishes();
    }
    assert.equal(worker.process.exitCode, null);
    assert.ok(isAlive(worker.pid));
  });
}

test('a heap that is full before the memory limit is reached ends a run by that limit all the same', async () => {
  const app = newApp(server);
  await serve(server, app, SOURCE, SMALL);
  const failure = await failureOf(await app.enqueue('alone hog', {}, { memoryLimit: 10 ** 12 }));
  assert.equal(failure.code, 'memory-limit', failure.reason);
  assert.match(failure.reason, /heap/);
});

test('a daemon is no fault of a run; in a process of its own it ends with it, else with the process at the latest', async () => {
  const app = newApp(server);
  const worker = await serve(server, app, SOURCE);
  const [shared, alone] = await Promise.all(
    LANES.map(async (lane) => (await (await app.enqueue(`${lane}daemon`, {})).result({ timeout: 20 })) as number),
  );
  assert.ok(!isAlive(alone!));
  assert.ok(isAlive(shared!));
  assert.ok(childrenOf(worker.pid).length > 0);
  worker.process.kill('SIGTERM');
  assert.equal(await worker.exited, 0, worker.said);
  await until(() => !isAlive(shared!), { what: 'the end of the daemon' });
});
