/** When a client waits awake, and for how long: by a clock and an event loop of the test's own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attention } from '../../src/client/attention.js';

/** One that has just had an answer after so many ms; `turns` turns its event loop until it sleeps, or so often. */
function after(ms: number) {
  let now = 0;
  const looks: (() => void)[] = [];
  const attention = new Attention(
    () => now,
    (look) => looks.push(look),
  );
  const turn = (most: number, each = 0.01): number => {
    let turns = 0;
    for (; turns < most && looks.length > 0; turns += 1) {
      now += each;
      for (const look of looks.splice(0)) look();
    }
    return turns;
  };
  const first = attention.begin();
  assert.equal(turn(10), 0, 'nobody knows yet that answers are near');
  now += ms;
  attention.end(first);
  return { attention, turn, pass: (more: number) => (now += more) };
}

test('where the last answer came soon, the next is awaited awake, and no longer than until it is there', () => {
  const { attention, turn } = after(0.1);
  const begun = attention.begin();
  assert.equal(turn(20), 20);
  attention.end(begun);
  assert.equal(turn(20), 1);
});

test('an answer that does not come soon is awaited asleep after half a millisecond, and so is the next', () => {
  const { attention, turn } = after(0.1);
  const begun = attention.begin();
  const turns = turn(1000);
  assert.ok(turns >= 49 && turns <= 51, `${turns} turns of 0.01 ms`);
  attention.end(begun);
  attention.begin();
  assert.equal(turn(1000), 0);
});

test('an answer that came late is followed by sleep, until one has come soon again', () => {
  const { attention, turn, pass } = after(3);
  const begun = attention.begin();
  assert.equal(turn(10), 0);
  pass(0.2);
  attention.end(begun);
  attention.begin();
  assert.equal(turn(10), 10);
});

test('many that are awaited at once are awaited asleep', () => {
  const { attention, turn } = after(0.1);
  const first = attention.begin();
  assert.equal(turn(5), 5);
  const second = attention.begin();
  assert.equal(turn(5), 1);
  attention.end(first);
  attention.end(second);
  attention.begin();
  assert.equal(turn(5), 5);
});
