/** A Call for each transition and the values their replies become. Sends nothing. */

import { readBeat, readClaim, readMixed, readWords } from './replies.js';
import { SCRIPTS, type Script } from './scripts.js';
import type { Arg, Beat, ClaimReply, End, Note, Released, Retried, Submitted, Unserved } from './values.js';

export type * from './values.js';

/** What a call needs of the keys of its app (values/keys.ts): the prefix with its colon. */
export interface App {
  readonly app: string;
}

/** One call of a script, and how its reply is read. Safe to send twice, as every script is. */
export interface Call<T> {
  readonly script: Script;
  readonly key: string;
  readonly args: readonly Arg[];
  /** The value of a reply as the server sent it. */
  read(reply: unknown): T;
}

/** The time in microseconds since 1970, which only tests pass; else the clock of Redis. */
export interface At {
  readonly now?: number | undefined;
}

/** How many seconds the hashes of successful and failed tasks stay. */
export interface Lifetimes {
  readonly resultTtl: number;
  readonly failedTtl: number;
}

type Name = keyof typeof SCRIPTS;

function call<T>(name: Name, keys: App, at: At, args: Arg[], read: (reply: unknown) => T): Call<T> {
  args.unshift(at.now ?? '');
  return { script: SCRIPTS[name], key: keys.app, args, read };
}

const pairsIn = (fields: readonly Arg[]): number => Math.floor(fields.length / 2);

/** nothing -> pending. Answers a word for each: "created", "exists", "conflict", "wrong-type". */
export function submit(keys: App, queue: string, tasks: Iterable<Submitted>, at: At = {}): Call<string[]> {
  const args: Arg[] = [queue];
  for (const [id, name, json, delay, fields] of tasks) {
    args.push(id, name, json, delay, pairsIn(fields), ...fields);
  }
  return call('submit', keys, at, args, readWords);
}

/** The bounds of one claim, and what ends the tasks that cannot be run. */
export interface ClaimOptions extends Lifetimes, At {
  /** The name of the wait that this call stands behind: it counts its own requests. */
  readonly wait?: number | undefined;
  /** Bytes of args of the whole reply, and of one task. */
  readonly maxBytes: number;
  readonly argsCap: number;
}

/** pending -> executing. The number of a request grows; the same again answers the same tasks, and takes none. */
export function claim(
  keys: App,
  worker: string,
  request: number,
  limit: number,
  queues: readonly string[],
  options: ClaimOptions,
): Call<ClaimReply> {
  const { maxBytes, argsCap, resultTtl, failedTtl, wait } = options;
  const args: Arg[] = [worker, request, limit, maxBytes, argsCap, resultTtl, failedTtl, queues.length, ...queues];
  if (wait !== undefined) args.push(wait);
  return call('claim', keys, options, args, readClaim);
}

/** executing -> finished. Answers a word for each: "finished", "already", "stale". */
export function finish(keys: App, worker: string, ends: readonly End[], options: Lifetimes & At): Call<string[]> {
  const args: Arg[] = [worker, options.resultTtl, options.failedTtl];
  const areValues = ends.every((end) => end[2].length === 1);
  args.push(areValues ? 'values' : 'fields');
  for (const [id, claim, fields] of ends) {
    if (areValues) args.push(id, claim, fields[0]!);
    else if (fields.length === 1) args.push(id, claim, 2, 'result', 'successful', 'result-value', fields[0]!);
    else args.push(id, claim, pairsIn(fields), ...fields);
  }
  return call('finish', keys, options, args, readWords);
}

/** executing -> pending, in the order they were claimed. A word for each: "released", "stale", "wrong-type". */
export function release(keys: App, worker: string, tasks: Iterable<Released>, at: At = {}): Call<string[]> {
  const args: Arg[] = [worker];
  for (const [id, claim, delay, begun] of tasks) args.push(id, claim, delay, Number(begun));
  return call('release', keys, at, args, readWords);
}

/** executing -> pending, later, after a failed run. A word for each: "retried", "stale", "wrong-type". */
export function retry(keys: App, worker: string, tasks: Iterable<Retried>, at: At = {}): Call<string[]> {
  return call('retry', keys, at, [worker, ...[...tasks].flat()], readWords);
}

/** How long the ends of cancelled tasks stay (seconds), and how many ids of the cancel list to take: at most 100. */
export interface CancelOptions extends At {
  readonly resultTtl: number;
  readonly take?: number | undefined;
}

/**
 * pending -> finished; executing: its worker is asked.
 *
 * Answers a word for each of ids, then for each one taken: "cancelled", "asked", "finished", "unknown", "wrong-type".
 */
export function cancel(keys: App, ids: Iterable<Arg>, options: CancelOptions): Call<string[]> {
  return call('cancel', keys, options, [options.resultTtl, options.take ?? 0, ...ids], readWords);
}

/** Seconds that output stays after the last of it, and the bytes of it that a task may keep. */
export interface NoteOptions extends At {
  readonly keep: number;
  readonly outputCap: number;
}

/** Keeps what running tasks tell. Answers a word for each: "noted", "stale". */
export function note(keys: App, worker: string, notes: Iterable<Note>, options: NoteOptions): Call<string[]> {
  const args: Arg[] = [worker, options.keep, options.outputCap];
  for (const [id, claim, progress, entries] of notes) {
    args.push(id, claim, progress, entries.length, ...entries.flat());
  }
  return call('note', keys, options, args, readWords);
}

/** finished -> pending, for failed tasks. A word for each: "requeued", "unknown", "not-failed", "wrong-type". */
export function requeue(keys: App, ids: Iterable<Arg>, at: At = {}): Call<string[]> {
  return call('requeue', keys, at, [...ids], readWords);
}

/** Forgets failed tasks. A word for each: "dropped", "unknown", "not-failed", "wrong-type". */
export function drop(keys: App, ids: Iterable<Arg>, at: At = {}): Call<string[]> {
  return call('drop', keys, at, [...ids], readWords);
}

/** Takes workers for dead that are known to be gone. A word for each: "sealed", "already", "unknown". */
export function seal(keys: App, workers: Iterable<string>, at: At = {}): Call<string[]> {
  return call('seal', keys, at, [...workers], readWords);
}

/**
 * executing -> pending, for functions this worker lacks. grace in seconds.
 *
 * Answers a word for each: "parked", "waits", "unknown", "stale", "wrong-type".
 */
export function park(keys: App, worker: string, grace: number, tasks: Iterable<Unserved>, at: At = {}): Call<string[]> {
  return call('park', keys, at, [worker, grace, ...[...tasks].flat()], readWords);
}

/** Renews the lease of a worker, in ms. */
export function beat(keys: App, worker: string, options: { readonly leaseMs: number } & At): Call<Beat> {
  return call('beat', keys, options, [worker, options.leaseMs], readBeat);
}

/** The least time between two calls that do something (ms), and how many losses fail a task. */
export interface RecoverOptions extends Lifetimes, At {
  readonly intervalMs: number;
  readonly losses: number;
}

/**
 * executing -> pending or failed, for what dead workers held and what nobody holds.
 *
 * Answers ["early"], ["amnesty", ms, taken back, failed] or ["recovered", sealed, taken back, failed, adopted].
 */
export function recover(keys: App, options: RecoverOptions): Call<(string | number)[]> {
  const { intervalMs, losses, resultTtl, failedTtl } = options;
  return call('recover', keys, options, [intervalMs, losses, resultTtl, failedTtl], readMixed);
}

/** The least time between two calls that do something (ms), and how many ids one call moves. */
export interface PromoteOptions extends At {
  readonly intervalMs: number;
  readonly limit?: number | undefined;
}

/**
 * scheduled -> pending, for what is due.
 *
 * Answers ["early"] or ["promoted", count, ms to the next or -1, freed, ids that wait in the cancel list].
 */
export function promote(keys: App, options: PromoteOptions): Call<(string | number)[]> {
  return call('promote', keys, options, [options.intervalMs, options.limit ?? 500], readMixed);
}
