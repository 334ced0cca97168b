/** With a catalog the compiler refuses a wrong call; without one any call goes. The compiler is the test. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as doshit from '../../src/index.js';
import { Doshit } from '../../src/index.js';

interface Functions {
  add: { args: { a: number; b: number }; returns: number };
  'mail.send': { args: { to: string; copies?: number }; returns: null };
  tick: { args: { at?: string }; returns: { ok: boolean } };
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <T extends true>(_: T | undefined): void => {};

/** Never run: what compiles here is what a user may write. */
export async function typed(app: Doshit<Functions>, free: Doshit): Promise<void> {
  const handle = await app.enqueue('add', { a: 1, b: 2 }, { delay: 1 });
  const sum = await handle.result({ timeout: 1 });
  is<Equal<typeof sum, number>>(undefined);
  const { ok } = await (await app.enqueue('tick')).result();
  is<Equal<typeof ok, boolean>>(undefined);
  await app.enqueue('mail.send', { to: 'a' });
  const [first] = await app.enqueueMany([app.job('add', { a: 1, b: 2 })]);
  is<Equal<typeof first, doshit.Handle<number> | undefined>>(undefined);
  await app.cancelFunction('add');
  // @ts-expect-error: text is no number
  await app.enqueue('add', { a: 'x', b: 2 });
  // @ts-expect-error: a parameter is missing
  await app.enqueue('add', { a: 1 });
  // @ts-expect-error: a parameter too many
  await app.enqueue('add', { a: 1, b: 2, c: 3 });
  // @ts-expect-error: the arguments are missing
  await app.enqueue('add');
  // @ts-expect-error: there is no such function
  await app.enqueue('ad', { a: 1, b: 2 });
  // @ts-expect-error: nor for many
  app.job('mail.send', { to: 1 });
  // @ts-expect-error: there is no such option
  await app.enqueue('tick', {}, { timelimit: 1 });
  // @ts-expect-error: nor such a name
  await app.cancelFunction('ad');

  const any: number = await (await free.enqueue('whatever', { a: 'x' }, { queue: 'q' })).result();
  await free.enqueue('whatever');
  await free.handle<string>(String(any)).result();
  // @ts-expect-error: arguments go by name
  await free.enqueue('whatever', 1);
}

test('the public surface is short enough to be read aloud', () => {
  assert.deepEqual(Object.keys(doshit).sort(), SURFACE);
  assert.equal(typeof Doshit, 'function');
});

const SURFACE = [
  'BadArguments',
  'BadTask',
  'BadValue',
  'Cancel',
  'ConfigurationError',
  'Doshit',
  'DoshitError',
  'IdConflict',
  'NotPermitted',
  'ResultError',
  'ResultNotJson',
  'Retry',
  'ServerError',
  'ServerUnavailable',
  'ServerUnsuitable',
  'TaskCancelled',
  'TaskFailed',
  'TaskVanished',
  'TimeLimitExceeded',
  'WaitTimeout',
];
