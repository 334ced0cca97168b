/** Blocking lines and subscriptions: each on a connection of its own, with an end to every wait. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ServerUnavailable } from '../../src/errors.js';
import { type Listening, Transport } from '../../src/transport/index.js';
import { Breaker } from '../helpers/breaker.js';
import { newPrefix, startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';

const server = await startServer();
const plain = server.plain();
after(() => plain.disconnect());

function beside() {
  const breaker = Breaker.before(server);
  const transport = new Transport(breaker.url, { prefix: newPrefix() });
  after(() => transport.close());
  return { breaker, transport };
}

test('a line that blocks holds back nothing else', async () => {
  const { transport } = beside();
  const line = transport.line();
  const waiting = line.call(['BLMOVE', 'from', 'to', 'RIGHT', 'LEFT', 5], 10);
  await until(() => plain.client('LIST').then((list) => String(list).includes('cmd=blmove')));
  assert.deepEqual(await transport.command(['PING']), Buffer.from('PONG'));
  await plain.lpush('from', Buffer.from([0xff]));
  assert.deepEqual(await waiting, Buffer.from([0xff]));
});

test('a wait that brings nothing answers null', async () => {
  const { transport } = beside();
  assert.equal(await transport.line().call(['BLMOVE', 'none', 'to', 'RIGHT', 'LEFT', 0.05], 10), null);
});

test('a wait on a connection that has died without a word ends after its patience', async () => {
  const { breaker, transport } = beside();
  const line = transport.line();
  await line.open();
  breaker.silence();
  await assert.rejects(line.call(['BLMOVE', 'none', 'to', 'RIGHT', 'LEFT', 0.1], 0.3), ServerUnavailable);
  assert.equal(await line.call(['BLMOVE', 'none', 'to', 'RIGHT', 'LEFT', 0.05], 10), null);
});

test('a line that is closed gives up its wait at once, and cannot be opened again', async () => {
  const { transport } = beside();
  const line = transport.line();
  const waiting = line.call(['BLMOVE', 'none', 'to', 'RIGHT', 'LEFT', 0], 60);
  await until(() => line.isOpen);
  line.close();
  await assert.rejects(waiting, ServerUnavailable);
  await assert.rejects(line.open(), ServerUnavailable);
});

function heard(): Listening & { messages: string[]; opened: number; gaps: number } {
  return {
    messages: [],
    opened: 0,
    gaps: 0,
    onMessage(channel, payload) {
      this.messages.push(`${channel} ${payload.toString('latin1')}`);
    },
    onOpen() {
      this.opened += 1;
    },
    onGap() {
      this.gaps += 1;
    },
  };
}

test('after open no message is missed, and its bytes are the bytes sent', async () => {
  const { transport } = beside();
  const notes = heard();
  await transport.subscribe(['one'], notes).open();
  await plain.publish('one', Buffer.from([0xff, 0x0a]));
  await until(() => notes.messages.length === 1);
  assert.deepEqual(notes.messages, ['one \xff\n']);
});

test('after add no message on that channel is missed; after drop none comes', async () => {
  const { transport } = beside();
  const notes = heard();
  const subscription = transport.subscribe(['one'], notes);
  await subscription.add('two');
  await plain.publish('two', 'a');
  subscription.drop('two');
  await until(async () => ((await plain.pubsub('NUMSUB', 'two')) as [string, number])[1] === 0);
  await plain.publish('two', 'b');
  await plain.publish('one', 'c');
  await until(() => notes.messages.length === 2);
  assert.deepEqual(notes.messages, ['two a', 'one c']);
});

test('a subscription that was cut off tells of the gap and mends itself, with all its channels', async () => {
  const { breaker, transport } = beside();
  const notes = heard();
  const subscription = transport.subscribe(['one'], notes);
  await subscription.open();
  await subscription.add('two');
  breaker.cut();
  await until(() => notes.opened === 2);
  assert.equal(notes.gaps, 1);
  await plain.publish('two', 'after');
  await until(() => notes.messages.includes('two after'));
});

test('what is closed leaves no connection behind', async () => {
  const prefix = newPrefix();
  const transport = new Transport(server.url, { prefix });
  const count = async () =>
    String(await plain.client('LIST'))
      .trim()
      .split('\n').length;
  const before = await count();
  await transport.command(['PING']);
  await transport.line().open();
  await transport.subscribe(['one'], heard()).open();
  assert.equal(await count(), before + 3);
  await transport.close();
  await until(async () => (await count()) === before);
});
