/** What an idle wait brings, also where its replies are lost; and that it ends when it is asked to. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Arg, seal } from '../../src/commands/index.js';
import { Transport } from '../../src/transport/index.js';
import { Keys } from '../../src/values/keys.js';
import { Auditor } from '../../src/worker/engine/auditor.js';
import { Fetcher } from '../../src/worker/engine/fetcher.js';
import { Session } from '../../src/worker/engine/session.js';
import { DEFAULTS } from '../../src/worker/settings.js';
import { Breaker } from '../helpers/breaker.js';
import { newPrefix, startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { Gate, newApp, work } from './helper.js';

const server = await startServer();

test('an UNBLOCK that met no wait yet is sent again', async () => {
  const prefix = newPrefix();
  const transport = new Transport(server.url, { prefix });
  after(() => transport.close());
  const sent: Arg[] = [];
  const session = new Session(transport, () => {});
  session.call = async () => ({ state: 'claimed', tasks: [], looked: 0, problems: [] }) as never;
  session.commands = async ([words]) => {
    sent.push(words![1]!);
    return sent.length === 1 ? [0] : transport.pipeline([words!]); // the first one never comes to a wait
  };
  let room = 1;
  const hooks = {
    room: () => room,
    queued: () => 0,
    couldBegin: () => 1,
    onTasks: () => {},
    soon: () => {},
    onLostId: () => {},
  };
  const fetcher = new Fetcher(session, new Keys(prefix), DEFAULTS, hooks, () => {});
  after(() => fetcher.close());
  fetcher.begin('somebody');
  fetcher.look();
  await until(async () => /blocked_clients:1/.test(String(await transport.command(['INFO', 'clients']))));
  room = 0;
  await until(async () => {
    fetcher.look();
    return sent.length > 1;
  });
  await until(() => !fetcher.isWaiting);
  assert.deepEqual(sent, ['UNBLOCK', 'UNBLOCK']);
});

const isWaiting = async () => / flags=\S*b\S* .* cmd=blmove /.test(String(await server.run('CLIENT', 'LIST')));

/** An app with a worker that waits; `push` makes a task of it by the two plain commands and gives its hash once it ended. */
async function idle(url = server.url) {
  let runs = 0;
  const app = newApp(server, url);
  const worker = await work(app, { one: () => ++runs });
  await until(isWaiting);
  const ended = async (id: string) => {
    const key = app.keys.task(id);
    await until(async () => (await server.run('HGET', key, 'state')) === 'finished', { what: `${id} to end` });
    return String(await server.run('HMGET', key, 'result', 'attempts', 'result-value', 'worker'));
  };
  const push = async (id: string, list = app.keys.pending('default')) => {
    await server.run('HSET', app.keys.task(id), 'function', 'one', 'args', '{}', 'state', 'pending');
    await server.run('LPUSH', list, id);
    return ended(id);
  };
  return { app, worker, push };
}

test('a task whose claim was never answered on the wait runs once', async () => {
  const breaker = Breaker.before(server);
  const { worker, push } = await idle(breaker.url);
  breaker.loseReplyTo('BLMOVE');
  const loss = breaker.hasLost();
  for (let n = 1; n <= 3; n += 1) assert.equal(await push(`it${n}`), `successful,1,${n},${worker.id}`);
  await loss;
});

test('an idle worker finds what another left in arrived', async () => {
  const { app, worker, push } = await idle();
  assert.equal(await push('left', app.keys.arrived('default')), `successful,1,1,${worker.id}`);
  assert.equal(await server.run('EXISTS', app.keys.arrived('default'), app.keys.executing('default')), 0);
});

test('a server that has forgotten its scripts is told them again', async () => {
  const { worker, push } = await idle();
  for (let n = 1; n <= 3; n += 1) {
    await until(isWaiting);
    await server.run('SCRIPT', 'FLUSH');
    assert.equal(await push(`it${n}`), `successful,1,${n},${worker.id}`);
  }
});

test('a worker that was sealed while it waited takes what came under its next name', async () => {
  const { app, worker, push } = await idle();
  const { id } = worker;
  await app.side.transport.send(seal(app.keys, [id]));
  assert.equal(await push('it'), `successful,1,1,${worker.id}`);
  assert.notEqual(worker.id, id);
});

test('the audit gives nothing back that a wait is about to bring', async () => {
  const prefix = newPrefix();
  const transport = new Transport(server.url, { prefix });
  after(() => transport.close());
  const session = new Session(transport, () => {});
  const hooks = {
    room: () => 1,
    queued: () => 0,
    couldBegin: () => 1,
    onTasks: () => {},
    soon: () => {},
    onLostId: () => {},
  };
  const fetcher = new Fetcher(session, new Keys(prefix), DEFAULTS, hooks, () => {});
  fetcher.begin('w');
  fetcher.drained = true;
  const [wait] = fetcher.waits;
  wait!.arm = (_call, mark) => {
    wait!.armed = true;
    wait!.mark = mark;
  };
  fetcher.look();
  const held = ['coming', `${wait!.mark}1 default`, 'strange', 'w/1.1 default', 'older', 'w/1:10.1 default'];
  const looks = [
    [...held, 'ended', 'w/2.1 default'],
    [...held, 'ended just now', 'w/3.1 default'],
  ];
  session.commands = async () => [looks.shift()!.map((word) => Buffer.from(word))];
  const given: (readonly Arg[])[] = [];
  session.call = (async (call: { args: readonly Arg[] }) => given.push(call.args)) as never;
  const books = { worker: () => 'w', known: () => new Set<string>(), quiet: () => true };
  const auditor = new Auditor(session, new Keys(prefix), { ...books, coming: (it) => fetcher.isComing(it) }, () => {});
  for (const left of [1, 0]) {
    auditor.compare(3);
    auditor.compare(3);
    await until(() => looks.length === left);
  }
  await until(() => given.length > 0);
  const words = ['coming', 'strange', 'older', 'ended', 'ended just now'];
  const ids = given
    .flat()
    .map(String)
    .filter((word) => words.includes(word));
  assert.deepEqual(ids, ['strange', 'older']);
});

test('a slot that comes free beside long runs is filled though little room is left', async () => {
  const app = newApp(server);
  const gates = { long: new Gate(), short: new Gate() };
  // None of them is short enough for more to be claimed than there are slots.
  const wait = ({ which }: { which: 'long' | 'short' }) => gates[which].opened.then(() => pause(20));
  const functions = { wait, one: () => 1 };
  await work(app, functions, { concurrency: 4 });
  const begun = async (count: number) =>
    until(async () => (await server.run('LLEN', app.keys.executing('default'))) === count);
  const held = [];
  for (const which of ['long', 'long', 'long', 'short']) {
    held.push(await app.enqueue('wait', { which }));
    await begun(held.length);
  }
  const late = await app.enqueueMany(Array.from({ length: 3 }, () => app.job('one')));
  gates.short.open();
  for (const handle of late) assert.equal(await handle.result({ timeout: 20 }), 1);
  assert.equal(await held[0]!.state(), 'executing');
  gates.long.open();
  for (const handle of held) await handle.result({ timeout: 20 });
});
