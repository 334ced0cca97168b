/** What becomes of runs that an executor was given and has not begun. The executor is one that does as it is told. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Client } from '../../src/client/index.js';
import { SCRIPTS } from '../../src/commands/index.js';
import { TaskFailed } from '../../src/errors.js';
import { Engine } from '../../src/worker/engine/engine.js';
import type { Executor, Hearer, Job, Lane } from '../../src/worker/engine/executor.js';
import { DEFAULTS } from '../../src/worker/settings.js';
import { startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { newApp } from './helper.js';

const server = await startServer();

/** Ends nothing by itself, and has a free slot as long as fewer than `most` were started. */
class Slow implements Executor {
  readonly functions = new Map([
    ['f', { policy: {}, catalog: '{}' }],
    ['g', { policy: { isolate: true }, catalog: '{}' }],
  ]);
  readonly started: Job[] = [];
  readonly ordered: Job[] = [];
  hearer!: Hearer;

  constructor(private readonly most: number) {}

  slots = () => 1;
  free = (lane: Lane) => (lane === 'alone' ? 1 : Math.max(0, this.most - this.started.length));
  begin = (hearer: Hearer) => void Object.assign(this, { hearer });
  start = (jobs: readonly Job[]) => void this.started.push(...jobs);
  order = (job: Job) => void this.ordered.push(job);
  kill = () => {};
  takeBack = () => [];
  loseAll = () => {};
  stop = async () => {};
}

async function serve(app: Client, executor: Executor): Promise<Engine> {
  const engine = new Engine({ redis: server.url, keys: app.keys, settings: DEFAULTS, executor, log: () => {} });
  after(() => engine.stop(0));
  await engine.start();
  return engine;
}

test('a run that was cancelled before its process had begun it ends as cancelled', async () => {
  const app = newApp(server);
  const executor = new Slow(2);
  const engine = await serve(app, executor);
  const handle = await app.enqueue('f');
  await until(() => executor.started.length > 0, { what: 'the job is given to the executor' });
  assert.equal(await handle.cancel(), 'asked');
  await until(() => executor.ordered.length > 0, { what: 'the order to end it' });
  executor.hearer.unbegun(executor.started);
  await assert.rejects(
    handle.result({ timeout: 10 }),
    (error) => error instanceof TaskFailed && error.code === 'cancelled',
  );
  assert.equal(executor.started.length, 1);
  await engine.stop(0);
});

test('what waits behind a long run goes to a worker that is free, though the one that has it also has a free slot', async () => {
  const app = newApp(server);
  // The server knows the script already, so that what is given back and the next claim go out together.
  await server.run('SCRIPT', 'LOAD', SCRIPTS.release.source);
  const [full, free] = [new Slow(1), new Slow(1)];
  await serve(app, full);
  await app.enqueue('f');
  await until(() => full.started.length > 0, { what: 'the long run' });
  // It waits again before the other one does, so it is the first whom the queue gives the next task to.
  await until(() => server.run('CLIENT', 'LIST').then((list) => /cmd=blmove/.test(String(list))), { what: 'its wait' });
  await serve(app, free);
  const handle = await app.enqueue('f');
  await until(() => free.started.length > 0, { what: 'the task on the worker that is free' });
  assert.equal(free.started[0]!.task.id.toString(), handle.id);
});
