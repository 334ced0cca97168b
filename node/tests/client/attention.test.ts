/** When a client waits awake, and for how long: by a clock and an event loop of the test's own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attention } from '../../src/client/attention.js';

/** An attention whose answers take so many ms, by whether they are awaited awake. */
function world(takes: { asleep: number; awake: number }) {
  let now = 0;
  const looks: (() => void)[] = [];
  const attention = new Attention(
    () => now,
    (look) => looks.push(look),
  );
  /** Turns the event loop, of 0.01 ms each, until it sleeps, or so often; how often it did. */
  const turn = (most: number): number => {
    let turns = 0;
    for (; turns < most && looks.length > 0; turns += 1) {
      now += 0.01;
      for (const look of looks.splice(0)) look();
    }
    return turns;
  };
  /** One answer; whether it was awaited awake. */
  const one = (): boolean => {
    const begun = attention.begin();
    const isAwake = looks.length > 0;
    if (isAwake) turn(Math.round(takes.awake * 100));
    else now += takes.asleep;
    attention.end(begun);
    turn(1);
    return isAwake;
  };
  const share = (count: number): number => Array.from({ length: count }, one).filter(Boolean).length / count;
  return { attention, turn, one, share };
}

test('an answer is awaited asleep first, then awake, and from then on as it is faster', () => {
  const fast = world({ asleep: 0.1, awake: 0.06 });
  assert.deepEqual([fast.one(), fast.one()], [false, true]);
  assert.ok(fast.share(320) > 0.9);
});

test('where it comes clearly sooner asleep, it is awaited asleep, but for a try now and then', () => {
  for (const awake of [0.24, 0.3]) {
    const slow = world({ asleep: 0.2, awake });
    slow.share(32);
    const share = slow.share(320);
    assert.ok(share > 0 && share < 0.1, `${share} of the answers`);
  }
});

test('what is faster may change, and all may become slower at once', () => {
  const changing = { asleep: 0.1, awake: 0.06 };
  const { share } = world(changing);
  assert.ok(share(320) > 0.9);
  Object.assign(changing, { asleep: 0.3, awake: 0.2 });
  assert.ok(share(320) > 0.9, 'a slower machine');
  changing.awake = 0.4;
  share(160);
  assert.ok(share(320) < 0.1, 'others need the core');
  changing.awake = 0.2;
  share(160);
  assert.ok(share(320) > 0.9, 'others do not need it any more');
});

test('an answer that is not near is never awaited awake', () => {
  assert.equal(world({ asleep: 0.6, awake: 0.1 }).share(100), 0);
});

test('nobody is awake for longer than half a millisecond, nor once the answer is there', () => {
  const { attention, turn, one } = world({ asleep: 0.1, awake: 0.06 });
  one();
  const begun = attention.begin();
  const turns = turn(1000);
  assert.ok(turns >= 49 && turns <= 51, `${turns} turns of 0.01 ms`);
  attention.end(begun);
  assert.equal(turn(10), 0);
  const other = world({ asleep: 0.1, awake: 0.06 });
  other.one();
  const soon = other.attention.begin();
  assert.equal(other.turn(5), 5);
  other.attention.end(soon);
  assert.equal(other.turn(10), 1);
});

test('many that are awaited at once are awaited asleep', () => {
  const { attention, turn, one } = world({ asleep: 0.1, awake: 0.06 });
  one();
  const first = attention.begin();
  assert.equal(turn(5), 5);
  const second = attention.begin();
  assert.equal(turn(5), 1);
  attention.end(first);
  attention.end(second);
  assert.equal(one(), true);
});

test('one answer that came late changes nothing for the others', () => {
  const { attention, turn, share } = world({ asleep: 0.1, awake: 0.06 });
  share(20);
  const late = attention.begin();
  turn(1000);
  attention.end(late);
  assert.ok(share(15) > 0.8);
});
