/** How long runs of a function have lately taken, and so how many are worth one batch. Reads no clock. */

import type { Job } from '../engine/executor.js';

/** ms of work that a batch may hold. */
export const BATCH_WORTH = 10;
const BATCH_MOST = 200;
const WEIGHT = 0.1;

/** Running means of durations in ms: one for each function, one for all. */
export class Estimate {
  readonly #of = new Map<string, number>();
  readonly #noisy = new Set<string>();
  #mean: number | undefined;

  learn({ function: name }: Job, ms: number): void {
    this.#of.set(name, blend(this.#of.get(name), ms));
    this.#mean = blend(this.#mean, ms);
  }

  /** Its runs write below the console: only of a run that is by itself can it be said that a text is its own. */
  isNoisy({ function: name }: Job): void {
    this.#noisy.add(name);
  }

  /** How many runs of the usual mix a child may be given at once. */
  batch(): number {
    if (this.#mean === undefined) return 1;
    return Math.max(1, Math.min(BATCH_MOST, Math.floor(BATCH_WORTH / Math.max(this.#mean, 1e-6))));
  }

  /** Must nothing be put behind it, or before it? */
  isAlone({ function: name, memoryLimit }: Job): boolean {
    return memoryLimit !== undefined || this.#noisy.has(name);
  }

  /** How many of these, from `from` on, are together worth a batch. What may be long goes by itself, to an idle child. */
  worth(jobs: readonly Job[], from: number, most: number, isIdle: boolean): number {
    let worth = 0;
    let count = 0;
    for (let at = from; at < jobs.length && count < most; at++, count++) {
      const job = jobs[at]!;
      const isFirst = isIdle && count === 0;
      if (this.isAlone(job)) return isFirst ? 1 : count;
      worth += this.#of.get(job.function) ?? BATCH_WORTH;
      if (worth >= BATCH_WORTH && !isFirst) break;
    }
    return count;
  }
}

const blend = (mean: number | undefined, ms: number): number => (mean === undefined ? ms : mean + WEIGHT * (ms - mean));
