/** The board decides who is woken; the wait decides how long one goes on. Both without a server and without a clock. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Board, Ticket } from '../../src/client/board.js';
import { PENDING, Wait } from '../../src/client/ending.js';
import { ServerUnavailable, TaskFailed, TaskVanished, WaitTimeout } from '../../src/errors.js';
import { Keys } from '../../src/values/keys.js';

const keys = new Keys('b');
const results = Buffer.from(keys.results);

function ticketOf(id: string): Ticket & { rung: number } {
  const ticket = Object.assign(new Ticket(keys.task(id)), { rung: 0 });
  ticket.ring = () => {
    ticket.rung += 1;
  };
  return ticket;
}

test('a message wakes those who wait for its task, and no other', () => {
  const board = new Board(keys);
  const [one, same, other] = [ticketOf('a'), ticketOf('a'), ticketOf('b')];
  for (const ticket of [one, same, other]) board.enter(ticket, board.epoch);
  board.hear(results, Buffer.from(keys.task('a')));
  assert.deepEqual([one.due, same.due, other.due], [true, true, false]);
  assert.deepEqual([one.rung, same.rung, other.rung], [1, 1, 0]);
});

test('a reply channel tells the result behind the last newline, whatever bytes the id has', () => {
  const board = new Board(keys);
  const channel = Buffer.from(board.channel);
  const ticket = ticketOf('a\nb');
  board.enter(ticket, board.epoch);
  board.hear(channel, Buffer.from(`${keys.task('a\nb')}\n{"x":1}`));
  assert.equal(String(ticket.told), '{"x":1}');
  board.hear(channel, Buffer.from(`${keys.task('a\nb')}\n`));
  assert.equal(ticket.told, undefined);
  // What all hear is a key and nothing more, also where an id has a newline.
  const loud = ticketOf('a\nb');
  board.enter(loud, undefined);
  board.hear(results, Buffer.from(keys.task('a\nb')));
  assert.equal(loud.due, true);
});

test('whoever comes after a message looks first; the channel of all is heard while somebody needs it', () => {
  const board = new Board(keys);
  const epoch = board.invite();
  board.hear(results, Buffer.from('anything'));
  const late = ticketOf('a');
  assert.equal(board.enter(late, epoch), false);
  assert.equal(late.due, true);
  const [first, second] = [ticketOf('b'), ticketOf('c')];
  assert.deepEqual([board.enter(first, undefined), board.enter(second, undefined)], [true, false]);
  assert.deepEqual([board.leave(first), board.leave(second)], [false, true]);
  board.leave(late);
  assert.equal(board.isEmpty, true);
});

test('after a gap all look', () => {
  const board = new Board(keys);
  const ticket = ticketOf('a');
  board.enter(ticket, board.epoch);
  board.gap();
  assert.deepEqual([ticket.due, ticket.rung], [true, 1]);
});

const field = (text: string | null) => (text === null ? null : Buffer.from(text));
const reply = (...fields: (string | null)[]) => [...fields, ...Array(7).fill(null)].slice(0, 7).map(field);

test('a look finds the result, the failure, or that it goes on', () => {
  const wait = new Wait('a', {}, false, undefined, 0);
  assert.deepEqual(wait.judge(reply('successful', '[1]'), 0), [1]);
  assert.equal(wait.judge(reply('successful'), 0), null);
  assert.equal(wait.judge(reply(null, null, null, null, null, 'pending', 'f'), 0), PENDING);
  assert.throws(
    () => wait.judge(reply('failed'), 0),
    (error) => error instanceof TaskFailed && error.code === 'exception',
  );
  // It was there, so now it is gone.
  assert.throws(() => wait.judge(reply(), 0), TaskVanished);
});

test('an id that nobody has seen may take 5 seconds to appear', () => {
  const wait = new Wait('a', {}, false, undefined, 0);
  assert.equal(wait.judge(reply(), 4.9), PENDING);
  assert.ok(wait.pause(4.9) <= 0.11);
  assert.throws(() => wait.judge(reply(), 5), TaskVanished);
});

test('a wait looks again every 2 seconds, and ends at its timeout', () => {
  const wait = new Wait('a', {}, true, 3, 10);
  assert.equal(wait.pause(10), 2);
  assert.equal(wait.pause(12), 1);
  assert.throws(
    () => wait.pause(13),
    (error) => error instanceof WaitTimeout && error.seconds === 3,
  );
});

test('without a timeout an absent server ends a wait after a minute, and not before', () => {
  const gone = new ServerUnavailable('gone');
  const wait = new Wait('a', {}, true, undefined, 0);
  assert.ok(wait.away(gone, 100) <= 0.05);
  assert.ok(wait.away(gone, 159) <= 1);
  assert.throws(() => wait.away(gone, 160), gone);
  // It has answered in between, so the minute begins anew.
  assert.equal(wait.judge(reply(null, null, null, null, null, 'pending'), 161), PENDING);
  assert.ok(wait.away(gone, 170) <= 0.05);
});
