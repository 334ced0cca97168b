/** Runs the command vectors: a keyspace and a call give a reply, a whole keyspace and the messages sent. */

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import * as commands from '../../src/commands/index.js';
import { startServer } from '../helpers/server.js';
import { Listener } from './listener.js';
import { assertWorld, cases, type Data, seed, toBytes, toRaw } from './vectors.js';

const server = await startServer();
const plain = server.plain();
const listener = await Listener.open(server, plain);
after(() => {
  listener.close();
  plain.disconnect();
});

// Which arguments each call takes by place; what is not named here goes by name.
const BY_PLACE: Record<string, string[]> = {
  submit: ['queue', 'tasks'],
  claim: ['worker', 'request', 'limit', 'queues'],
  finish: ['worker', 'ends'],
  release: ['worker', 'tasks'],
  retry: ['worker', 'tasks'],
  park: ['worker', 'grace', 'tasks'],
  note: ['worker', 'notes'],
  cancel: ['ids'],
  beat: ['worker'],
  seal: ['workers'],
  recover: [],
  promote: [],
  requeue: ['ids'],
  drop: ['ids'],
};
const BYTES = ['tasks', 'ends', 'moved', 'notes', 'ids'];

/** The Call that this package makes of a step. */
function toCall(step: Data, one: Data): commands.Call<unknown> {
  const { transition, with: given } = step.call;
  const named: Data = { ids: [], ...one.defaults?.[transition], ...given, now: step.now };
  for (const name of BYTES) if (named[name]) named[name] = bytes(named[name]);
  const places = BY_PLACE[transition]!;
  const rest = Object.entries(named).filter(([name]) => !places.includes(name));
  const options = Object.fromEntries(rest.map(([name, value]) => [camel(name), value]));
  const make = (commands as Data)[transition];
  return make({ app: 'doshit:' }, ...places.map((name) => named[name]), options);
}

const camel = (name: string) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const bytes = (item: Data): Data =>
  Array.isArray(item) ? item.map(bytes) : typeof item === 'string' ? toBytes(item) : item;

async function perform(step: Data, one: Data): Promise<Data> {
  if ('redis' in step) {
    const [name, ...args] = step.redis.map(toBytes);
    return plain.callBuffer(String(name), args);
  }
  const { script, key, args, read } = toCall(step, one);
  const reply = await plain.callBuffer('EVAL', [script.source, 1, key, ...args]);
  read(reply);
  return reply;
}

async function check(step: Data, one: Data, world: Data): Promise<void> {
  if ('error' in step) {
    await assert.rejects(perform(step, one), (error: Error) => error.message.includes(step.error));
  } else {
    const reply = await perform(step, one);
    if ('reply' in step) assert.deepEqual(toRaw(reply), toRaw(step.reply));
  }
  const published = await listener.heard();
  if ('published' in step) assert.deepEqual(published, toRaw(step.published));
  if ('keyspace' in step) await assertWorld(plain, { ...world, ...step.keyspace });
}

beforeEach(async () => {
  await plain.call('CONFIG', 'SET', 'maxmemory', 0);
  await plain.call('FLUSHALL');
});

for (const [name, one] of cases('commands')) {
  test(name, async () => {
    const world = one.world ? one.worlds[one.world] : {};
    await seed(plain, { ...world, ...one.given });
    for (const [setting, value] of Object.entries<Data>(one.config ?? {}))
      await plain.call('CONFIG', 'SET', setting, value);
    for (const step of one.steps) await check(step, one, world);
  });
}
