/**
 * Runs handlers in this very process, many at once. Knows no Redis.
 *
 * A run here can be asked to end, not killed: one that goes on is given up, and what it does later is heard by nobody.
 */

import { BadArguments, Cancel, Retry, TaskCancelled, TimeLimitExceeded } from '../errors.js';
import { decodeArgs, encodeResult, NotJson } from '../values/codec.js';
import { captured } from './capture.js';
import type { Executor, Failure, Hearer, Job, Lane, Why } from './engine/executor.js';
import { explain, refused } from './explain.js';
import type { Ready } from './functions.js';
import { Task } from './task.js';

// ms of handlers' own work in one turn of the event loop; then results go out and others have their turn.
const TURN = 5;

// RangeError is what V8 throws itself where an array or a buffer is too large.
const STOPS = { 'time-limit': TimeLimitExceeded, 'memory-limit': RangeError, cancelled: TaskCancelled } as const;

/** slots: runs at once; capture: is what handlers print on the console kept with their tasks? */
export interface LocalOptions {
  readonly slots: number;
  readonly capture: boolean;
  readonly resultCap: number;
  readonly reasonCap: number;
  readonly tracebackCap: number;
  /** Hears the number of the job whose handler is called next. */
  readonly onEnter?: ((number: number) => void) | undefined;
}

/** What is heard of handlers that share a process. */
export type LocalHearer = Pick<Hearer, 'returned' | 'failed' | 'died' | 'output' | 'progress'>;

interface Active {
  readonly task: Task;
  stopped: Why | undefined;
}

/** The handlers of one process. */
export class Local implements Executor {
  readonly #active = new Map<Job, Active>();
  #waiting: Job[] = [];
  #hearer!: LocalHearer;
  // When the turn of the event loop began in which handlers are begun; 0: none was begun in this one.
  #turnAt = 0;

  constructor(
    readonly functions: ReadonlyMap<string, Ready>,
    private readonly options: LocalOptions,
  ) {}

  slots(lane: Lane): number {
    return lane === 'shared' ? this.options.slots : 0;
  }

  free(lane: Lane): number {
    return lane === 'shared' ? this.options.slots - this.#active.size - this.#waiting.length : 0;
  }

  begin(hearer: LocalHearer): void {
    this.#hearer = hearer;
  }

  start(jobs: readonly Job[]): void {
    for (const job of jobs) {
      if (this.#waiting.length > 0 || this.#isOver()) this.#waiting.push(job);
      else this.#perform(job);
    }
  }

  #isOver(): boolean {
    const now = performance.now();
    if (this.#turnAt === 0) {
      this.#turnAt = now;
      setImmediate(this.#nextTurn);
    }
    return now - this.#turnAt > TURN;
  }

  readonly #nextTurn = (): void => {
    this.#turnAt = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length > 0) this.start(waiting);
  };

  #perform(job: Job): void {
    const ready = this.functions.get(job.function);
    const task = new Task(job, {
      progress: (json) => this.#hearer.progress(job, json),
      log: (text) => this.#hearer.output(job, 'log', text, Date.now()),
    });
    this.#active.set(job, { task, stopped: undefined });
    if (ready === undefined) {
      this.#fail(job, new Error('its function has gone'), undefined);
      return;
    }
    let value: unknown;
    try {
      const args = decodeArgs(job.task.args);
      value = ready.check === undefined ? this.#call(ready, args, job, task) : this.#checked(ready, args, job, task);
      if (isThenable(value)) {
        value.then(
          (result) => this.#close(job, result, ready),
          (error) => this.#fail(job, error, ready),
        );
        return;
      }
    } catch (error) {
      this.#fail(job, error, ready);
      return;
    }
    this.#close(job, value, ready);
  }

  #call(ready: Ready, args: unknown, job: Job, task: Task): unknown {
    this.options.onEnter?.(job.number);
    if (!this.options.capture) return ready.handler(args, task);
    const write = (stream: 'stdout' | 'stderr', text: string) => this.#hearer.output(job, stream, text, Date.now());
    return captured({ job, write }, () => ready.handler(args, task));
  }

  #checked(ready: Ready, args: unknown, job: Job, task: Task): unknown {
    const told = ready.check!(args);
    if (told instanceof Promise) return told.then((one) => this.#call(ready, argsIn(one), job, task));
    return this.#call(ready, argsIn(told), job, task);
  }

  #close(job: Job, value: unknown, ready: Ready): void {
    let json: string;
    try {
      if (value instanceof Retry || value instanceof Cancel) throw value;
      json = encodeResult(value);
    } catch (error) {
      this.#fail(job, error, ready);
      return;
    }
    const cap = this.options.resultCap;
    // A character is at most three bytes; most results need not be measured.
    const size = json.length * 3 <= cap ? 0 : Buffer.byteLength(json);
    if (!this.#active.delete(job)) return;
    if (size <= cap) {
      this.#hearer.returned(job, json);
      return;
    }
    const reason = `result: ${size} bytes, at most ${cap}; store it elsewhere and return where it is`;
    this.#hearer.failed(job, refused('result-too-large', reason, this.options));
  }

  #fail(job: Job, error: unknown, ready: Ready | undefined): void {
    const active = this.#active.get(job);
    if (active === undefined) return;
    this.#active.delete(job);
    this.#hearer.failed(job, this.#failure(error, active.stopped, ready));
  }

  #failure(error: unknown, stopped: Why | undefined, ready: Ready | undefined): Failure {
    try {
      const bad = badArgs(error);
      if (bad !== undefined) return refused('bad-args', bad, this.options);
      return explain(error, stopped, ready?.wantsRetry ?? (() => false), this.options);
    } catch {
      // A proxy may throw again at any look.
      return refused('exception', 'something was thrown that cannot be looked at', this.options);
    }
  }

  /** A run has thrown where nobody catches it, so it has failed. False: it is over, and not to blame. */
  fell(job: Job, error: unknown): boolean {
    const isActive = this.#active.has(job);
    this.#fail(job, error, this.functions.get(job.function));
    return isActive;
  }

  order(job: Job, why: Why, reason: string): void {
    const active = this.#active.get(job);
    if (active === undefined) return;
    active.stopped = why;
    Task.abort(active.task, new STOPS[why](reason));
  }

  kill(job: Job): void {
    if (!this.#active.delete(job)) {
      this.#waiting = this.#waiting.filter((one) => one !== job);
    }
    this.#hearer.died(job, 'it did not end by itself and was given up; it may still go on in its process');
  }

  takeBack(): Job[] {
    return this.#waiting.splice(0);
  }

  loseAll(): void {
    this.#waiting = [];
    const lost = new Error('the worker stops, or has lost this task; another run of it comes');
    for (const [job, { task }] of [...this.#active]) {
      this.#active.delete(job);
      Task.abort(task, lost);
    }
  }

  async stop(): Promise<void> {
    this.loseAll();
  }
}

/** Arguments that a schema refused; told apart from a BadArguments that a handler threw. */
class Refused extends BadArguments {}

function argsIn(told: { args: unknown } | { fault: string }): unknown {
  if ('fault' in told) throw new Refused(told.fault);
  return told.args;
}

function badArgs(error: unknown): string | undefined {
  if (error instanceof Refused) return error.reason;
  return error instanceof NotJson ? `args${error.path}: ${error.reason}` : undefined;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}
