/** Weighs the run of one process: what it has added to the memory, and used of the processor. */

import type { Job } from '../engine/executor.js';
import { anonymousBytes, descendants, peakBytes, privateBytes, processorSeconds, residentBytes } from '../process.js';

/** Seconds of processor time, and bytes at most. */
export interface Weight {
  readonly cpu: number;
  readonly memory: number;
}

/** Knows only runs that have limits and were given to an idle process: so it had nothing else to do. */
export class Scales {
  #job: Job | undefined;
  #anonymous = 0;
  #resident = 0;
  #cpu = 0;
  #most = 0;
  #kept: Weight | undefined;

  constructor(private readonly pid: number) {}

  /** A run with limits begins. */
  begin(job: Job): void {
    this.#job = job;
    this.#most = 0;
    this.#kept = undefined;
    this.#anonymous = anonymousBytes([this.pid]);
    this.#resident = residentBytes(this.pid);
    this.#cpu = processorSeconds(this.pid);
  }

  /**
   * Bytes that it and all below it have more than before.
   *
   * A copy that it has forked shares its pages, so what seems over the limit is looked at closely, which is dear.
   */
  added(limit: number): number {
    const below = descendants([this.pid]);
    const own = anonymousBytes([this.pid]) - this.#anonymous;
    let added = own + anonymousBytes(below);
    if (below.size > 0 && added > limit) added = own + privateBytes(below);
    this.#most = Math.max(this.#most, added);
    return added;
  }

  /** Remembers what the run has used, while its process is still there. */
  keep(): void {
    if (this.#job === undefined || this.#kept !== undefined) return;
    const memory = Math.max(this.#most, peakBytes(this.pid) - this.#resident, 0);
    this.#kept = { cpu: Math.max(0, processorSeconds(this.pid) - this.#cpu), memory };
  }

  /** What was kept of this run. */
  of(job: Job): Weight | undefined {
    return job === this.#job ? this.#kept : undefined;
  }
}
