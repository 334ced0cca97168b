/** How a worker comes, goes and lives through the loss of its server, its connections and its name. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { seal } from '../../src/commands/index.js';
import { ServerError } from '../../src/errors.js';
import { Transport } from '../../src/transport/index.js';
import { Worker } from '../../src/worker/worker.js';
import { Breaker } from '../helpers/breaker.js';
import { Server, startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { Gate, newApp, work } from './helper.js';

const server = await startServer();

test('a worker registers with its functions, and leaves nothing behind when it has stopped', async () => {
  const app = newApp(server);
  const schema = { type: 'object', properties: { a: { type: 'integer', default: 1 } } };
  const worker = await work(app, { add: { handler: () => 1, schema, doc: 'Adds.' } });
  const plain = server.plain();
  const about = await until(async () => {
    const found = await plain.hgetall(app.keys.worker(worker.id));
    return found.catalog ? found : undefined;
  });
  assert.match(about.language!, /^node \d+/);
  assert.equal(about.pid, String(process.pid));
  const entry = JSON.parse((await plain.hget(app.keys.catalog(about.catalog!), 'add'))!);
  const { language, version, doc, defaults, parameters, returns } = entry;
  assert.deepEqual(
    { language, version, doc, defaults },
    { language: 'node', version: 1, doc: 'Adds.', defaults: { a: 1 } },
  );
  assert.deepEqual([parameters, returns], [schema, {}]);
  await worker.stop();
  assert.deepEqual(await plain.zrange(app.keys.workers, 0, '-1'), []);
  assert.equal(await plain.exists(app.keys.worker(worker.id)), 0);
  plain.disconnect();
});

test('stop lets what runs end, and takes no more', async () => {
  const app = newApp(server);
  const [began, gate] = [new Gate(), new Gate()];
  const handler = async () => {
    began.open();
    await gate.opened;
    return 'ended';
  };
  const worker = await work(app, { slow: handler }, { concurrency: 1 });
  const [first, second] = await app.enqueueMany([app.job('slow'), app.job('slow')]);
  await began.opened;
  const stopping = worker.stop();
  gate.open();
  await stopping;
  assert.equal(await first!.result({ timeout: 0 }), 'ended');
  assert.equal(await server.run('HGET', app.keys.task(second!.id), 'state'), 'pending');
});

test('what runs beyond the grace is given back, hears of it, and another worker ends it', async () => {
  const app = newApp(server);
  const began = new Gate();
  let heard: AbortSignal | undefined;
  const first = await work(app, {
    slow: (_, { signal }) => {
      heard = signal;
      began.open();
      return new Promise(() => {});
    },
  });
  const handle = await app.enqueue('slow');
  await began.opened;
  await first.stop({ grace: 0 });
  assert.equal(heard?.aborted, true);
  await work(app, { slow: (_, { attempt }) => attempt });
  assert.equal(await handle.result({ timeout: 20 }), 2);
});

test('a signal stops a worker', async () => {
  const app = newApp(server);
  const controller = new AbortController();
  const worker = await work(app, { one: () => 1 }, { signal: controller.signal });
  controller.abort();
  await worker.stop();
  assert.deepEqual(await server.run('ZRANGE', app.keys.workers, 0, -1), []);
});

test('connections that are cut again and again lose no task and finish none twice', async () => {
  const breaker = Breaker.before(server);
  const app = newApp(server);
  const behind = newApp(server, breaker.url);
  Object.assign(behind, { keys: app.keys });
  const done = new Map<number, number>();
  const handler = async ({ n }: { n: number }) => {
    done.set(n, (done.get(n) ?? 0) + 1);
    if (n % 100 === 50) breaker.cut();
    return n;
  };
  await work(behind, { count: handler }, { concurrency: 20 });
  const handles = await app.enqueueMany(Array.from({ length: 600 }, (_, n) => app.job('count', { n })));
  const results = await Promise.all(handles.map((handle) => handle.result({ timeout: 60 })));
  assert.deepEqual(results, [...results.keys()]);
  assert.equal(done.size, 600);
});

test('a lost reply to a claim or a finish costs nothing', async () => {
  const breaker = Breaker.before(server);
  const app = newApp(server);
  const behind = newApp(server, breaker.url);
  Object.assign(behind, { keys: app.keys });
  const runs: string[] = [];
  await work(behind, { one: (_, { id }) => runs.push(id) });
  await (await app.enqueue('one')).result({ timeout: 20 });
  breaker.loseReplyTo('$6\r\nvalues\r\n');
  await (await app.enqueue('one', {}, { id: 'after' })).result({ timeout: 20 });
  await breaker.hasLost();
  await (await app.enqueue('one', {}, { id: 'last' })).result({ timeout: 20 });
  assert.deepEqual(runs.slice(1), ['after', 'last']);
});

test('a server that is killed and comes back is served on, with nothing lost', async () => {
  const own = new Server({ persist: true, settings: ['--appendfsync', 'always'] });
  await own.start();
  try {
    const app = newApp(own);
    const worker = await work(app, { echo: ({ n }) => n });
    assert.equal(await (await app.enqueue('echo', { n: 1 })).result({ timeout: 20 }), 1);
    await own.kill();
    await own.start();
    assert.equal(await (await app.enqueue('echo', { n: 2 })).result({ timeout: 40 }), 2);
    await worker.stop();
    await app.close();
  } finally {
    await own.end();
  }
});

test('a worker that was taken for dead ends its runs and serves on under another name', async () => {
  const app = newApp(server);
  const began = new Gate();
  let heard: AbortSignal | undefined;
  let runs = 0;
  const worker = await work(app, {
    slow: (_, { signal }) => {
      runs += 1;
      if (runs > 1) return 'again';
      heard = signal;
      began.open();
      return new Promise(() => {});
    },
  });
  const before = worker.id;
  const handle = await app.enqueue('slow');
  await began.opened;
  const transport = new Transport(server.url, { prefix: app.prefix });
  await transport.send(seal(app.keys, [before]));
  await transport.close();
  assert.equal(await handle.result({ timeout: 30 }), 'again');
  assert.notEqual(worker.id, before);
  assert.equal(heard?.aborted, true);
});

test('the tasks of a killed process are taken over by the next worker of its host', async () => {
  const app = newApp(server);
  const here = new URL('../../src/index.js', import.meta.url).href;
  const script = `
    import { Doshit } from ${JSON.stringify(here)};
    const app = new Doshit({ redis: ${JSON.stringify(server.url)}, prefix: ${JSON.stringify(app.prefix)} });
    app.worker({ hang: () => { console.log('began'); return new Promise(() => {}); } });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const handle = await app.enqueue('hang');
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await work(app, { hang: (_, { attempt }) => attempt });
  assert.equal(await handle.result({ timeout: 30 }), 2);
});

test('a worker whose event loop is stuck for too long loses its tasks; one that is busy for a while keeps them', async () => {
  const app = newApp(server);
  const here = new URL('../../src/', import.meta.url).href;
  // How long each of two workers may be busy, and how long its run keeps it so: both longer than a lease.
  const workers = [
    ['stuck', 1, 'for (;;);'],
    ['busy', 60, 'for (const end = Date.now() + 13000; Date.now() < end;);'],
  ] as const;
  const handles = [];
  for (const [name, busyMost, code] of workers) {
    const script = `
      import { Client } from ${JSON.stringify(`${here}client/index.js`)};
      import { Worker } from ${JSON.stringify(`${here}worker/worker.js`)};
      const app = new Client({ redis: ${JSON.stringify(server.url)}, prefix: ${JSON.stringify(app.prefix)} });
      const handler = (_, { attempt }) => { process.stdout.write('began'); ${code} return attempt; };
      new Worker(app, { ${name}: handler }, { queue: '${name}' }, { busyMost: ${busyMost} });`;
    const words = ['--input-type=module', '-e', script];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    after(() => child.kill('SIGKILL'));
    handles.push(await app.enqueue(name, {}, { queue: name }));
    await once(child.stdout, 'data');
  }
  const again = (_: unknown, { attempt }: { attempt: number }) => attempt;
  await work(app, { stuck: again, busy: again }, { queues: ['stuck', 'busy'] });
  const attempts = await Promise.all(handles.map((handle) => handle.result({ timeout: 40 })));
  assert.deepEqual(attempts, [2, 1]);
});

test('a server that will not do is an error, and the worker has stopped', async () => {
  const own = await new Server().start();
  const app = newApp(own);
  await own.run('CONFIG', 'SET', 'requirepass', 'secret');
  const worker = new Worker(app, { one: () => 1 });
  const told = new Promise<Error>((resolve) => worker.once('error', resolve));
  await assert.rejects(worker.ready, ServerError);
  assert.match((await told).message, /user and password/);
  await worker.stop();
  await own.end();
});

test('what may not even be looked at fails its own task only', async () => {
  const app = newApp(server);
  const strange = new Proxy({}, { getPrototypeOf: () => assert.fail('looked at') });
  await work(app, {
    closed: () => new Proxy({}, { get: () => assert.fail('looked at') }),
    returned: () => strange,
    thrown: () => {
      throw strange;
    },
    rejected: async () => {
      throw strange;
    },
    add: ({ a }: { a: number }) => a,
  });
  for (const name of ['closed', 'returned', 'thrown', 'rejected']) {
    const [bad, good] = [await app.enqueue(name), await app.enqueue('add', { a: 1 })];
    await assert.rejects(bad.result({ timeout: 20 }), { code: /^(exception|result-not-json)$/ });
    assert.equal(await good.result({ timeout: 20 }), 1);
  }
});
