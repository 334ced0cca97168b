/**
 * Ends runs that are over their limit or were cancelled: from within first, by force after a grace. Settles none.
 *
 * A run's clock begins when it is given to the executor; nothing of the user's has a say in it.
 */

import type { ErrorCode } from '../../values/states.js';
import type { Executor, Why } from './executor.js';
import type { Run } from './run.js';

const GRACE = 500; // ms to end from within
const MEMORY_GRACE = 200; // the same for memory, which goes on growing
const AGAIN = 1000; // from a kill to the next: one that sits in the kernel dies when it comes out

/** What a run that was told to end has failed of. */
export const CODES: Readonly<Record<Why, ErrorCode>> = {
  'time-limit': 'time-limit',
  'memory-limit': 'memory-limit',
  cancelled: 'cancelled',
};

/** Watches the few runs that have a limit or were told to end; the others cost nothing. */
export class Limiter {
  readonly #watched = new Set<Run>();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(private readonly executor: Executor) {}

  /** A run has begun; again, if it was given to the executor before and came back without a beginning. */
  begin(run: Run): void {
    run.stopping = undefined;
    if (run.timeLimit === undefined) return;
    this.#watched.add(run);
    this.#wakeAt(run.beganAt + run.timeLimit * 1000);
  }

  /** A run is over. */
  end(run: Run): void {
    if (this.#watched.size > 0) this.#watched.delete(run);
  }

  /** A run has added so many bytes, more than it may. */
  heavy(run: Run, added: number): void {
    const limit = (run.memoryLimit ?? 0).toLocaleString('en');
    const reason = `memory limit of ${limit} bytes passed: it added ${added.toLocaleString('en')} bytes`;
    this.#order(run, 'memory-limit', reason, MEMORY_GRACE);
  }

  /** Somebody cancelled it. */
  cancel(run: Run): void {
    this.#order(run, 'cancelled', 'cancelled while it ran', GRACE);
  }

  #order(run: Run, why: Why, reason: string, grace: number): void {
    if (run.stopping !== undefined) return;
    run.stopping = { why, reason, killAt: performance.now() + grace };
    this.#watched.add(run);
    this.#wakeAt(run.stopping.killAt);
    this.executor.order(run, why, reason);
  }

  #wakeAt(at: number): void {
    if (at >= this.#dueAt) return;
    this.#dueAt = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, at - performance.now()));
  }

  #tick(): void {
    const now = performance.now();
    this.#dueAt = Number.POSITIVE_INFINITY;
    for (const run of [...this.#watched]) if (this.#watched.has(run)) this.#look(run, now);
  }

  #look(run: Run, now: number): void {
    if (run.stopping !== undefined) this.#insist(run, now);
    else if (run.timeLimit !== undefined) this.#time(run, run.timeLimit, now);
  }

  #time(run: Run, limit: number, now: number): void {
    const ran = now - run.beganAt;
    if (ran < limit * 1000) {
      this.#wakeAt(run.beganAt + limit * 1000);
      return;
    }
    this.#order(run, 'time-limit', `time limit of ${limit} s passed: it ran for ${(ran / 1000).toFixed(2)} s`, GRACE);
  }

  #insist(run: Run, now: number): void {
    const { why, reason, killAt } = run.stopping!;
    if (now < killAt) {
      this.#wakeAt(killAt);
      return;
    }
    run.stopping = { why, reason, killAt: now + AGAIN };
    this.#wakeAt(run.stopping.killAt);
    this.executor.kill(run);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watched.clear();
  }
}
