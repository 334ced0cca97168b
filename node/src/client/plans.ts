/** What is asked of Redis about tasks that are there: cancel, retry, drop, read the failed ones. Waits for no end. */

import { type Arg, cancel, drop, requeue } from '../commands/index.js';
import { ConfigurationError, NotPermitted, ServerError, ServerUnavailable, TaskVanished } from '../errors.js';
import type { Keys } from '../values/keys.js';
import { checkFunction, checkQueue } from '../values/names.js';
import { ERROR_CODES, type ErrorCode, RESULT_TTL } from '../values/states.js';
import { raw, textOf } from '../values/text.js';
import { formatTimestamp } from '../values/times.js';
import { TaskInfo } from './info.js';
import type { Side } from './side.js';

/** Where to ask: the keys of an app, its own queue, and its connections. */
export interface Place {
  readonly keys: Keys;
  readonly queue: string;
  readonly side: Side;
}

/** Which failed tasks are meant; absent: whichever. code: an error code such as "time-limit". */
export interface FailedFilter {
  readonly queue?: string | undefined;
  readonly function?: string | undefined;
  readonly code?: ErrorCode | undefined;
}

/** An entry of a failed set. at: ms of the Redis clock. */
interface Entry {
  readonly at: number;
  readonly queue: string;
  readonly id: Buffer;
}

/** Entries of output that are read at once; a task's output is kept smaller than that. */
export const OUTPUT_ENTRIES = 5000;
// Ids that one call of a script carries.
const CALL_IDS = 100;
// Hashes that one round trip reads: each may hold a megabyte.
const READ_IDS = 50;
// How long a cut-off is remembered. What then still waits from before it runs after all.
const CUTOFF_KEPT_MS = 30 * 86_400_000;

/** Cancels tasks: a word of cancel for each. A user who may not run scripts asks the workers: "asked" for each. */
export async function cancelAll({ keys, side }: Place, ids: readonly string[]): Promise<string[]> {
  const words: string[] = [];
  for (const some of slices(ids.map(raw), CALL_IDS)) {
    try {
      words.push(...(await side.transport.send(cancel(keys, some, { resultTtl: RESULT_TTL }))));
    } catch (error) {
      if (!(error instanceof NotPermitted)) throw error;
      await side.transport.command(['LPUSH', keys.cancel, ...some], { repeat: true });
      words.push(...some.map(() => 'asked'));
    }
  }
  return words;
}

const CHECKS = { queue: checkQueue, function: checkFunction };

/**
 * Cancels what a queue or a function (kind) has waiting, by the clock of Redis; gives that moment.
 *
 * Throws ConfigurationError for a name that cannot be one.
 */
export async function cutOff({ keys, side }: Place, kind: 'queue' | 'function', name: string): Promise<Date> {
  CHECKS[kind](name);
  const [seconds, micros] = ((await side.transport.command(['TIME'], { repeat: true })) as Buffer[]).map(Number);
  const moment = new Date(seconds! * 1000 + Math.floor(micros! / 1000));
  const set = ['HSET', keys.cutoffs, raw(`${kind}:${name}`), formatTimestamp(moment, micros! % 1000)];
  await side.transport.pipeline([set, ['PEXPIRE', keys.cutoffs, CUTOFF_KEPT_MS]], { repeat: true });
  return moment;
}

/** Runs a failed task again; whether it was one. Throws TaskVanished, ServerError for a key of another type. */
export async function requeueOne({ keys, side }: Place, id: string): Promise<boolean> {
  const [word] = await side.transport.send(requeue(keys, [raw(id)]));
  if (word === 'unknown') throw new TaskVanished(id);
  if (word === 'wrong-type') {
    throw new ServerError(`wrong-type: key ${keys.task(id)} is no hash, or its queue no list; another program uses it`);
  }
  return word === 'requeued';
}

/** The failed tasks that are meant, the newest first. Throws ConfigurationError for a filter that cannot be. */
export async function* failedTasks(place: Place, wanted: FailedFilter): AsyncGenerator<TaskInfo, void, undefined> {
  check(wanted);
  for (const some of slices(await entriesOf(place, wanted.queue), READ_IDS)) {
    const taken = await taking(place, wanted, some);
    const hashes = await spared(
      place,
      taken.map(({ id }) => ['HGETALL', keyOf(place.keys, id)]),
    );
    for (const [at, flat] of hashes.entries()) {
      if (Array.isArray(flat) && flat.length > 0) yield new TaskInfo(textOf(taken[at]!.id), flat as Buffer[]);
    }
  }
}

/** Runs failed tasks again, the oldest first; how many it were. */
export async function requeueFailed(place: Place, wanted: FailedFilter): Promise<number> {
  check(wanted);
  let count = 0;
  for (const some of slices((await entriesOf(place, wanted.queue)).reverse(), CALL_IDS)) {
    const taken = await taking(place, wanted, some);
    if (taken.length === 0) continue;
    const words = await place.side.transport.send(
      requeue(
        place.keys,
        taken.map(({ id }) => id),
      ),
    );
    count += words.filter((word) => word === 'requeued').length;
  }
  return count;
}

/** Forgets failed tasks; how many it were. */
export async function dropFailed(place: Place, wanted: FailedFilter): Promise<number> {
  check(wanted);
  let count = 0;
  const all = wanted.function === undefined && wanted.code === undefined;
  for (const some of slices(await entriesOf(place, wanted.queue), CALL_IDS)) {
    const taken = all ? some : await taking(place, wanted, some);
    if (taken.length === 0) continue;
    const words = await place.side.transport.send(
      drop(
        place.keys,
        taken.map(({ id }) => id),
      ),
    );
    count += words.filter((word) => word === 'dropped').length;
    // Their hashes have faded: nothing but the entry is left to forget.
    const gone = taken.filter((_, at) => words[at] === 'unknown');
    const forget = gone.map(({ queue, id }): Arg[] => ['ZREM', place.keys.failed(queue), id]);
    await place.side.transport.pipeline(forget, { repeat: true });
  }
  return count;
}

function check({ queue, function: name, code }: FailedFilter): void {
  if (queue !== undefined) checkQueue(queue);
  if (name !== undefined) checkFunction(name);
  if (code !== undefined && !ERROR_CODES.includes(code)) {
    throw new ConfigurationError(`error code '${code}': there is no such code; codes are ${ERROR_CODES.join(', ')}`);
  }
}

/** The entries of the failed sets, the newest first. The app's own queue may be one that nobody has used yet. */
async function entriesOf({ keys, queue: own, side }: Place, queue: string | undefined): Promise<Entry[]> {
  const queues = queue === undefined ? await queuesOf(keys, own, side) : [queue];
  const asked = queues.map((name): Arg[] => ['ZREVRANGE', keys.failed(name), 0, -1, 'WITHSCORES']);
  const replies = (await side.transport.pipeline(asked, { repeat: true })) as Buffer[][];
  const found = replies.flatMap((flat, at) =>
    flat.flatMap((id, n) => (n % 2 ? [] : [{ id, at: Number(flat[n + 1]), queue: queues[at]! }])),
  );
  return found.sort((one, other) => other.at - one.at);
}

async function queuesOf(keys: Keys, own: string, side: Side): Promise<string[]> {
  const names = (await side.transport.command(['SMEMBERS', keys.queues], { repeat: true })) as Buffer[];
  return [...new Set([own, ...names.map(String).filter(isQueue)])];
}

function isQueue(name: string): boolean {
  try {
    return Boolean(checkQueue(name));
  } catch {
    return false;
  }
}

async function taking(place: Place, wanted: FailedFilter, entries: readonly Entry[]): Promise<Entry[]> {
  const look = ['state', 'result', 'function', 'error-code'];
  const fields = await spared(
    place,
    entries.map(({ id }) => ['HMGET', keyOf(place.keys, id), ...look]),
  );
  return entries.filter((_, at) => isMeant(wanted, fields[at] as (Buffer | null)[] | null));
}

function isMeant(wanted: FailedFilter, fields: readonly (Buffer | null)[] | null): boolean {
  if (fields === null) return false;
  const [state, result, name, code] = fields.map((value) => (value === null ? null : textOf(value)));
  if (state !== 'finished' || result !== 'failed') return false;
  return (wanted.function ?? name) === name && (wanted.code ?? code) === code;
}

/** Replies of commands that read one key each; null for a key that is no hash, which spoils no other's. */
async function spared({ side }: Place, commands: readonly Arg[][]): Promise<unknown[]> {
  return Promise.all(
    commands.map((words) =>
      side.transport.command(words, { repeat: true }).catch((error) => {
        const passes =
          error instanceof ServerError && !(error instanceof NotPermitted || error instanceof ServerUnavailable);
        if (passes) return null;
        throw error;
      }),
    ),
  );
}

function keyOf(keys: Keys, id: Buffer): Buffer {
  return Buffer.concat([Buffer.from(keys.task('')), id]);
}

function* slices<T>(some: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < some.length; at += size) yield some.slice(at, at + size);
}
