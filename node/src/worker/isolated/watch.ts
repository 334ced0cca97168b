/** Looks at processes while there is something to see: memory that grows, runs that wait behind a long one. */

import type { Job } from '../engine/executor.js';
import type { Lone } from './lone.js';

const WEIGH_EVERY = 25; // ms
const LOOK_EVERY = 4; // ms
const STEAL_AFTER = 4; // ms that a run lasts before what waits behind it goes to an idle process
const LONG = 20; // ms that a run lasts before what waits behind it goes back in any case

/** heavy: a run has added more than its limit; stuck: something waits in this process for long. */
export interface Watched {
  heavy(job: Job, added: number): void;
  stuck(lone: Lone): void;
}

/** Two timers, each of which ticks only while it has something to look at. */
export class Watch {
  #weighing: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;

  constructor(
    private readonly lones: ReadonlySet<Lone>,
    private readonly watched: Watched,
  ) {}

  /** Jobs were given. */
  mind(): void {
    if (this.#weighing === undefined && this.#limited().length > 0) this.#weighSoon();
    if (this.#looking === undefined && this.#waiting().length > 0) this.#lookSoon();
  }

  #limited(): Lone[] {
    return [...this.lones].filter(({ head }) => head?.memoryLimit !== undefined);
  }

  #waiting(): Lone[] {
    return [...this.lones].filter(({ runs }) => runs.size > 1);
  }

  #weighSoon(): void {
    this.#weighing = setTimeout(() => {
      this.#weighing = undefined;
      const limited = this.#limited();
      for (const lone of limited) this.#weigh(lone, lone.head!);
      if (limited.length > 0) this.#weighSoon();
    }, WEIGH_EVERY);
  }

  #weigh(lone: Lone, job: Job): void {
    const added = lone.scales.added(job.memoryLimit!);
    if (added > job.memoryLimit!) this.watched.heavy(job, added);
  }

  #lookSoon(): void {
    this.#looking = setTimeout(() => {
      this.#looking = undefined;
      const waiting = this.#waiting();
      const isAnyIdle = [...this.lones].some(({ isIdle }) => isIdle);
      const since = performance.now() - (isAnyIdle ? STEAL_AFTER : LONG);
      for (const lone of waiting) if (lone.progressAt <= since) this.watched.stuck(lone);
      if (waiting.length > 0) this.#lookSoon();
    }, LOOK_EVERY);
  }

  stop(): void {
    clearTimeout(this.#weighing);
    clearTimeout(this.#looking);
  }
}
