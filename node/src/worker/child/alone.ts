/** What is done around each run of a child that has one at a time. Runs none itself. */

import type { Job } from '../engine/executor.js';
import { beginNext } from './gate.js';
import type { Tidy } from './tidy.js';
import { Usage, type Used } from './usage.js';

/** One for a child, whose jobs pass here in the order in which they were given. */
export class Alone {
  readonly #usage = new Usage();
  #jobs = 0;

  constructor(
    private readonly signs: Int32Array,
    private readonly tidy: Tidy,
  ) {}

  /** Begins a job. False: it was taken back, and the parent knows that. */
  begin(job: Job): boolean {
    this.#jobs += 1;
    if (!beginNext(this.signs, this.#jobs)) return false;
    this.#usage.begin(job);
    return true;
  }

  /** A run is over, before its end is told: who hears of it may count on it that nothing of it goes on. */
  end(job: Job): Used | undefined {
    const used = this.#usage.end(job);
    this.tidy.after();
    return used;
  }
}
