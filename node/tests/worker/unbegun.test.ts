/** What becomes of runs that an executor was given and has not begun. The executor is one that does as it is told. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TaskFailed } from '../../src/errors.js';
import { Engine } from '../../src/worker/engine/engine.js';
import type { Executor, Hearer, Job } from '../../src/worker/engine/executor.js';
import { DEFAULTS } from '../../src/worker/settings.js';
import { startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { newApp } from './helper.js';

const server = await startServer();

/** Begins nothing; it tells of what it was given later, as a process does that is just starting. */
class Slow implements Executor {
  readonly functions = new Map([['f', { policy: {}, catalog: '{}' }]]);
  readonly started: Job[] = [];
  readonly ordered: Job[] = [];
  hearer!: Hearer;

  slots = () => 1;
  free = () => 1;
  begin = (hearer: Hearer) => void Object.assign(this, { hearer });
  start = (jobs: readonly Job[]) => void this.started.push(...jobs);
  order = (job: Job) => void this.ordered.push(job);
  kill = () => {};
  takeBack = () => [];
  loseAll = () => {};
  stop = async () => {};
}

test('a run that was cancelled before its process had begun it ends as cancelled', async () => {
  const app = newApp(server);
  const executor = new Slow();
  const engine = new Engine({ redis: server.url, keys: app.keys, settings: DEFAULTS, executor, log: () => {} });
  after(() => engine.stop(0));
  await engine.start();
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
});
