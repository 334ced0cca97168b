/** Sends what becomes of tasks to Redis, grouped: finish, retry, release, park. Decides nothing, runs nothing. */

import {
  type Arg,
  type Call,
  type Claimed,
  type End,
  finish,
  park,
  type Retried,
  release,
  retry,
} from '../../commands/index.js';
import type { Keys } from '../../values/keys.js';
import { type ErrorCode, FAILED_TTL } from '../../values/states.js';
import { textOf } from '../../values/text.js';
import type { Log } from './log.js';
import { unknownReason } from './near.js';
import type { Session } from './session.js';

const FINISH_MOST = 250; // ends a call
const RETRY_AFTER = 500;

/** The fields of a failed task. */
export function failure(code: ErrorCode, reason: string, trace = ''): Arg[] {
  const fields = ['result', 'failed', 'error-code', code, 'error-reason', reason];
  return trace ? [...fields, 'error-exception', trace] : fields;
}

/** The ends of this worker's runs on their way to Redis. */
export class Settler {
  /** How many tasks are not known to be settled. */
  unsettled = 0;
  #ends: End[] = [];
  #retries: Retried[] = [];

  /** onWaiting: something waits for flush(). */
  constructor(
    private readonly session: Session,
    private readonly keys: Keys,
    private readonly worker: () => string,
    private readonly resultTtl: number,
    private readonly log: Log,
    private readonly onWaiting: () => void,
  ) {}

  /** How many ends have not been sent. */
  get waiting(): number {
    return this.#ends.length + this.#retries.length;
  }

  /** Takes the end of one run: its value alone, or field, value, ..., `result` first. */
  end(task: Claimed, fields: readonly Arg[]): void {
    this.#ends.push([task.id, task.claim, fields]);
    this.unsettled += 1;
    this.onWaiting();
  }

  /** Has a task run again after so many seconds. failure: what is kept of the run that failed, JSON. */
  retry(task: Claimed, delay: number, failure: string): void {
    this.#retries.push([task.id, task.claim, delay.toFixed(3), failure]);
    this.unsettled += 1;
    this.onWaiting();
  }

  /** Does what ends a task once its notes are kept, which after its end would be refused. */
  after(told: Promise<unknown>, settle: () => void): void {
    this.unsettled += 1;
    const then = () => {
      this.unsettled -= 1;
      settle();
    };
    told.then(then, then);
  }

  /** Sends all that has arrived, in calls of bounded size. */
  flush(): void {
    while (this.#ends.length > 0) {
      const ends = this.#ends.length <= FINISH_MOST ? this.#ends : this.#ends.slice(0, FINISH_MOST);
      this.#ends = this.#ends.length <= FINISH_MOST ? [] : this.#ends.slice(FINISH_MOST);
      void this.#finish(ends);
    }
    if (this.#retries.length > 0) {
      const tasks = this.#retries.splice(0);
      void this.#giveBack(tasks, (some) => retry(this.keys, this.worker(), some));
    }
  }

  async #finish(ends: readonly End[]): Promise<void> {
    const call = finish(this.keys, this.worker(), ends, { resultTtl: this.resultTtl, failedTtl: FAILED_TTL });
    try {
      const words = await this.session.call(call);
      this.unsettled -= ends.length;
      if (words.includes('stale')) this.#stale(ends, words);
    } catch (error) {
      this.#later('finish', error, () => {
        this.#ends.unshift(...ends);
        this.onWaiting();
      });
    }
  }

  #stale(ends: readonly End[], words: readonly string[]): void {
    for (const [at, [id]] of ends.entries()) {
      if (words[at] !== 'stale') continue;
      this.log('warning', `task ${textOf(id as Buffer)}: its end came too late, another run owns it`);
    }
  }

  /** Gives tasks back to the front of their queues, in order. begun: their runs count as attempts. */
  release(tasks: readonly Claimed[], begun = false): void {
    if (tasks.length === 0) return;
    this.unsettled += tasks.length;
    const released = tasks.map(({ id, claim }) => [id, claim, '', begun] as const);
    void this.#giveBack(released, (some) => release(this.keys, this.worker(), some));
  }

  /** Sets aside tasks whose function this worker lacks; fails those whose grace is over. known: what it serves. */
  park(tasks: readonly Claimed[], grace: number, known: readonly string[]): void {
    if (tasks.length === 0) return;
    this.unsettled += tasks.length;
    const unserved = tasks.map((task) => [task.id, task.claim, task.function] as const);
    void this.#giveBack(
      unserved,
      (some) => park(this.keys, this.worker(), grace, some),
      ([id, claim, name]) => {
        const fields = failure('unknown-function', unknownReason(textOf(name as Buffer), known));
        this.#ends.push([id, claim, fields]);
        this.unsettled += 1;
        this.onWaiting();
      },
    );
  }

  // What could not go back is still held: it is sent again a little later.
  async #giveBack<T>(
    tasks: readonly T[],
    callOf: (tasks: readonly T[]) => Call<string[]>,
    onUnknown?: (task: T) => void,
  ): Promise<void> {
    let held = tasks;
    let why: unknown = 'a key is of the wrong type';
    try {
      const words = await this.session.call(callOf(tasks));
      held = tasks.filter((_, at) => words[at] === 'wrong-type');
      if (onUnknown) for (const [at, task] of tasks.entries()) if (words[at] === 'unknown') onUnknown(task);
    } catch (error) {
      why = error;
    }
    this.unsettled -= tasks.length - held.length;
    if (held.length > 0)
      this.#later(`to give ${held.length} tasks back`, why, () => void this.#giveBack(held, callOf, onUnknown));
  }

  #later(what: string, why: unknown, again: () => void): void {
    if (this.session.closed) return;
    this.log('error', `Redis refuses ${what}, trying again: ${why instanceof Error ? why.message : why}`);
    setTimeout(again, RETRY_AFTER);
  }
}
