/** An AbortSignal ends every wait, and nobody who has waited under one is still listening to it. */

import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Sleeper } from '../../src/client/sleeper.js';
import { Doshit, type Handler } from '../../src/index.js';
import { Breaker } from '../helpers/breaker.js';
import { newPrefix, startServer } from '../helpers/server.js';

const server = await startServer();
const why = new Error('the visitor left');

function newApp(redis = server.url): Doshit {
  const app = new Doshit({ redis, prefix: newPrefix() });
  after(() => app.close());
  return app;
}

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

test('work that is handed to a sleeper that was stopped before may fail unheard', async () => {
  const sleeper = new Sleeper(new Set());
  sleeper.stop(new Error('closed'));
  await assert.rejects(sleeper.during(Promise.reject(new Error('late')), 1), /closed/);
});

test('what waited under a signal and is over listens to it no more', async () => {
  const app = newApp();
  const { signal } = new AbortController();
  const add: Handler = ({ a, b }, task) => {
    task.progress(1, 'all');
    return a + b;
  };
  const worker = app.worker({ add }, { signal });
  const handle = await app.enqueue('add', { a: 1, b: 2 }, { signal });
  assert.equal(await handle.result({ signal, timeout: 20 }), 3);
  for await (const { text } of handle.progress({ signal })) assert.equal(text, 'all');
  const jobs = Array.from({ length: 100 }, (_, a) => app.job('add', { a, b: 0 }));
  const handles = await app.enqueueMany(jobs, { signal });
  const waiting = Promise.all(handles.map((one) => one.result({ signal, timeout: 20 })));
  assert.ok(listeners(signal) <= 2, `${listeners(signal)} listen while a hundred wait`);
  await waiting;
  await worker.stop();
  assert.equal(listeners(signal), 0);
});

test('a wait that fails or times out listens no more either', async () => {
  const app = newApp();
  const { signal } = new AbortController();
  const one = await app.enqueue('nobody', {}, { signal });
  await assert.rejects(one.result({ signal, timeout: 0.01 }), { name: 'WaitTimeout' });
  await assert.rejects(app.handle('absent').progress({ signal }).next(), { name: 'TaskVanished' });
  const refused = assert.rejects(one.result({ signal }), { name: 'ServerUnavailable' });
  await app.close();
  await refused;
  assert.equal(listeners(signal), 0);
});

test('what is refused at once, as its signal has aborted or its client is closed, leaves no error that nobody hears', async () => {
  const app = newApp();
  const handle = await app.enqueue('nobody');
  const aborted = AbortSignal.abort(why);
  await assert.rejects(handle.progress({ signal: aborted }).next(), why);
  await app.close();
  const { signal } = new AbortController();
  const refused = { name: 'ServerUnavailable' };
  await assert.rejects(app.enqueue('nobody', {}, { signal }), refused);
  await assert.rejects(app.enqueueMany([app.job('nobody')], { signal }), refused);
  await assert.rejects(handle.progress({ signal }).next(), refused);
  assert.equal(listeners(signal), 0);
});

test('progress ends with its signal while the server says nothing, too', async () => {
  const breaker = Breaker.before(server);
  const app = newApp(breaker.url);
  const handle = await app.enqueue('nobody');
  await handle.state();
  breaker.silence();
  const abort = new AbortController();
  const next = handle.progress({ signal: abort.signal }).next();
  abort.abort(why);
  await assert.rejects(next, why);
  assert.equal(listeners(abort.signal), 0);
  breaker.cut();
});

test('an iterator of progress that is left early listens no more', async () => {
  const app = newApp();
  const { signal } = new AbortController();
  const plain = server.plain();
  const handle = await app.enqueue('nobody');
  await plain.hset(app.keys.task(handle.id), 'progress', '{"fraction":0.5,"text":"half","at":""}');
  plain.disconnect();
  for await (const { fraction } of handle.progress({ signal })) {
    assert.equal(fraction, 0.5);
    break;
  }
  assert.equal(listeners(signal), 0);
});

test('a worker that waits for its server is stopped by its signal', async () => {
  // Whoever listens there says nothing, so that the worker is still waiting for its first answer.
  const path = join(server.folder, 'silent');
  const silent = createServer(() => {}).listen(path);
  after(() => silent.close());
  await once(silent, 'listening');
  const abort = new AbortController();
  const worker = newApp(`unix://${path}`).worker({ one: () => 1 }, { signal: abort.signal });
  worker.on('log', () => {}).on('error', () => {});
  worker.ready.catch(() => {});
  abort.abort(why);
  await worker.stop({ grace: 0 });
  assert.equal(listeners(abort.signal), 0);
});
