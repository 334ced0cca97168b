/** An idle wait ends when it is asked to, also where the asking came to the server before the wait itself. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Arg } from '../../src/commands/index.js';
import { Transport } from '../../src/transport/index.js';
import { Keys } from '../../src/values/keys.js';
import { Fetcher } from '../../src/worker/engine/fetcher.js';
import { Session } from '../../src/worker/engine/session.js';
import { DEFAULTS } from '../../src/worker/settings.js';
import { newPrefix, startServer } from '../helpers/server.js';
import { until } from '../helpers/until.js';

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
  const hooks = { room: () => room, queued: () => 0, onTasks: () => {}, onLostId: () => {} };
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
