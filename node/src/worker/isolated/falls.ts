/** Lays the end of a process to the run that it was in, and tells what has become of its runs. */

import type { Hearer, Job } from '../engine/executor.js';
import type { Broken } from '../wire.js';
import type { Lone } from './lone.js';

/** What is known before the end: of whom it was said or done, and how. number 0: of whatever runs. */
interface Word {
  readonly number: number;
  readonly how: string;
}

/** The ends of the processes of one pool. */
export class Falls {
  readonly #words = new WeakMap<Lone, Word>();

  /** It is killed because of this run. */
  condemn(lone: Lone, { number }: Job): void {
    this.#words.set(lone, { number, how: 'its process was killed' });
  }

  /** It says that a run ends it; 0: nobody knows which. */
  leaving(lone: Lone, number: number, how: string): void {
    if (!this.#words.has(lone)) this.#words.set(lone, { number, how });
  }

  /** It says why it could not start. */
  broke(lone: Lone, { text }: Broken): void {
    this.#words.set(lone, { number: 0, how: text });
  }

  /** How it ended, in its own words if it had any. */
  causeOf(lone: Lone, how: string): string {
    return this.#words.get(lone)?.how ?? how;
  }

  /** runs: what it had, oldest first. */
  tell(lone: Lone, runs: readonly Job[], how: string, hearer: Hearer): void {
    const [first, ...rest] = runs;
    if (first !== undefined) this.#tellFirst(lone, first, this.causeOf(lone, how), hearer);
    if (rest.length > 0) hearer.unbegun(rest);
  }

  #tellFirst(lone: Lone, job: Job, how: string, hearer: Hearer): void {
    const word = this.#words.get(lone);
    // What an earlier run has left behind has ended it, or a kill that came too late for that run.
    if (word !== undefined && word.number !== 0 && word.number !== job.number) {
      hearer.interrupted([job], false);
      return;
    }
    const used = lone.scales.of(job);
    if (used !== undefined) hearer.used(job, used.cpu, used.memory);
    if (job.memoryLimit !== undefined && lone.raw.isHeapFull) {
      const reason = `the heap was full before its memory limit of ${job.memoryLimit.toLocaleString('en')} bytes; ${how}`;
      hearer.failed(job, { code: 'memory-limit', reason, trace: '', again: null });
    } else hearer.died(job, how);
  }
}
