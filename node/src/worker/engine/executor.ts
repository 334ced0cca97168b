/**
 * What the engine asks of whatever runs handlers, and what it hears of them. Only types; knows no Redis and no process.
 *
 * The engine decides when a run shall end and what becomes of its task. An executor begins runs, tells what they tell,
 * and ends them when it is asked. It hears of a job once by start(), and tells its end once by exactly one of
 * returned, failed, died, unbegun and interrupted.
 */

import type { Claimed } from '../../commands/index.js';
import type { ErrorCode } from '../../values/states.js';

/** Where a job may run: beside others in one process, or in a process that has nothing else to do meanwhile. */
export type Lane = 'shared' | 'alone';

/** Why a run is told to end. */
export type Why = 'time-limit' | 'memory-limit' | 'cancelled';

/** Whether another run may go better. null: no; true: if its policy has one left; seconds; -1: as its policy says. */
export type Again = null | true | number;

/** One run of a task, as the engine knows it. Executors may use `number` as its name in other processes. */
export interface Job {
  /** Grows, and is never used again by this engine. */
  readonly number: number;
  /** id, claim, args, attempts, username, traceparent as bytes. */
  readonly task: Claimed;
  /** task.function as text: a key of Executor.functions. */
  readonly function: string;
  readonly lane: Lane;
  /** Seconds; the engine keeps it, the executor only tells the run. */
  readonly timeLimit: number | undefined;
  /** Bytes that it may add; who has processes weighs them and tells hearer.heavy(). */
  readonly memoryLimit: number | undefined;
}

/** Why a run failed. code: one of protocol/tables/errors.json; reason: one line; trace: a stack, or "". */
export interface Failure {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly trace: string;
  readonly again: Again;
}

/** What applies to the runs of one function. Times in seconds, memory in bytes; undefined: nothing is said. */
export interface Policy {
  readonly timeLimit?: number | undefined;
  readonly memoryLimit?: number | undefined;
  readonly retries?: number | undefined;
  readonly retryDelay?: number | undefined;
  readonly retryBackoff?: number | undefined;
  /** Error codes after which it is run again though the run itself said nothing: `exited`, `time-limit`, ... */
  readonly retryCodes?: readonly string[] | undefined;
  /** Must it run in a process of its own? */
  readonly isolate?: boolean | undefined;
}

/** A function that is served. catalog: its entry in the catalog, JSON. */
export interface Served {
  readonly policy: Policy;
  readonly catalog: string;
  /** The library of a schema that cannot be said as JSON Schema: the catalog does not tell what it takes. */
  readonly untold?: string | undefined;
}

/** What an executor tells the engine; implemented by the engine. All return at once, and none throws. */
export interface Hearer {
  /** A run has returned this JSON, which is not over the cap for results. */
  returned(job: Job, json: string | Buffer): void;
  /** A run has failed by itself, or after an order. */
  failed(job: Job, failure: Failure): void;
  /** Its process has ended under a run, or it was given up after kill(). how: the signal or exit status, one line. */
  died(job: Job, how: string): void;
  /** Jobs that have not begun and will not here: they go back uncounted, oldest first. */
  unbegun(jobs: readonly Job[]): void;
  /**
   * Runs that fell with their process; they go back uncounted. suspect: it ended by itself and one of these is to
   * blame, nobody knows which; then each has a process of its own next time.
   */
  interrupted(jobs: readonly Job[], suspect: boolean): void;
  /** A run has added so many bytes, more than its limit. */
  heavy(job: Job, added: number): void;
  /** A run has written. at: ms since 1970. Before the end of the run is told. */
  output(job: Job, stream: 'stdout' | 'stderr' | 'log', text: string, at: number): void;
  /** A run has told its progress, as JSON. Before the end of the run is told. */
  progress(job: Job, json: string): void;
  /** What a run has used: seconds of CPU, bytes at most (0: unknown). Just before the end of the run is told. */
  used(job: Job, cpu: number, memory: number): void;
  /** There is room again, or another size, without the end of a run. */
  freed(): void;
  /** `functions` has changed: the target was imported anew. */
  served(): void;
  /** It cannot serve any more, say because the target cannot be imported anew; the engine stops. */
  broken(why: string): void;
}

/** Runs handlers. */
export interface Executor {
  /** The functions that are served. Known when the engine begins. */
  readonly functions: ReadonlyMap<string, Served>;
  /** How many runs a lane takes at once; 0: it has none, and the engine puts its jobs into the other one. */
  slots(lane: Lane): number;
  /** How many more would begin now. Cheap: it is asked each turn. */
  free(lane: Lane): number;
  /** Called once, before anything else. */
  begin(hearer: Hearer): void;
  /** Begins these, at most as many as are free. Their clocks run from now on. */
  start(jobs: readonly Job[]): void;
  /** Tells a run to end from within. reason: one line for it and for a person. One that is over counts for nothing. */
  order(job: Job, why: Why, reason: string): void;
  /**
   * The run did not heed the order: ends it by force, and whatever has to fall with it. All of these are told (died,
   * interrupted), now or soon. Where nothing can be ended, the run is given up: died, and it is heard no more.
   */
  kill(job: Job): void;
  /** Takes back what was started and has not begun, oldest first; it is not told by unbegun then. */
  takeBack(): Job[];
  /** Ends all runs now and tells of none of them: others may have their tasks. It serves on. */
  loseAll(): void;
  /** Ends what is left and its processes. Settles when none of them is there any more. */
  stop(): Promise<void>;
}
