/**
 * Keeps so many processes that run one job at a time: born, worn, dead, born again. Gives them no jobs.
 *
 * A Node.js process takes a tenth of a second of a CPU to start. So no more of them start at once than there are CPUs:
 * all together, they would keep those from the worker and from the runs that share a process, for seconds.
 */

import { availableParallelism } from 'node:os';
import type { Log } from '../engine/log.js';
import type { Setup } from '../wire.js';
import { Lone, type LoneEars } from './lone.js';

const TRIES = 3; // processes in a row that cannot start, until the worker gives up
const PAUSE = 100; // ms until the next after one that could not; twice as long each time
const PAUSE_MOST = 5000; // ms
const BIRTH = 1000; // ms; one that takes longer to start waits for something, and not for a CPU
const RUNS_MOST = 2 ** 30; // jobs of one process, whose gate counts them in 32 bits

/** size: how many processes; recycleRuns: jobs after which one is replaced; undefined: never. */
export interface NurseryOptions {
  readonly size: number;
  readonly recycleRuns: number | undefined;
}

/** The processes of one pool. Begins when it is told to. */
export class Nursery {
  readonly lones = new Set<Lone>();
  readonly #recycleRuns: number;
  #isOpen = false;
  #isStopping = false;
  #failed = 0;
  #pause: NodeJS.Timeout | undefined;
  #later: NodeJS.Timeout | undefined;

  /** onGivenUp: hears that no process can be started, and why. */
  constructor(
    private readonly setup: Setup,
    readonly options: NurseryOptions,
    private readonly ears: LoneEars,
    private readonly onGivenUp: (why: string) => void,
    private readonly log: Log,
  ) {
    this.#recycleRuns = Math.min(options.recycleRuns ?? RUNS_MOST, RUNS_MOST);
  }

  /** Does it keep processes, or is none wanted yet? */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    this.#fill();
  }

  #fill(): void {
    if (!this.#isOpen || this.#isStopping || this.#pause !== undefined) return;
    let staying = 0;
    for (const { isLeaving } of this.lones) if (!isLeaving) staying += 1;
    const missing = this.options.size - staying;
    const births = Math.min(missing, Math.max(0, availableParallelism() - this.#starting));
    for (let n = 0; n < births; n++) this.lones.add(new Lone(this.setup, this.ears));
    if (missing > births) this.#fillLater();
  }

  get #starting(): number {
    const young = performance.now() - BIRTH;
    let starting = 0;
    for (const { isReady, progressAt } of this.lones) if (!isReady && progressAt > young) starting += 1;
    return starting;
  }

  #fillLater(): void {
    this.#later ??= setTimeout(() => {
      this.#later = undefined;
      this.#fill();
    }, BIRTH).unref();
  }

  /** One can be given jobs. */
  greeted(lone: Lone): void {
    lone.isReady = true;
    this.#failed = 0;
    this.#fill();
  }

  /** Lets go of one that is worn, once it has nothing to run; another is born at once. */
  mind(lone: Lone): void {
    if (!lone.isLeaving && lone.given >= this.#recycleRuns) {
      lone.isLeaving = true;
      this.#fill();
    }
    if (lone.isLeaving && lone.runs.size === 0) void lone.close();
  }

  /** One is there no more. why: what it said of that, if it could not start. */
  lost(lone: Lone, why: string): void {
    this.lones.delete(lone);
    if (lone.isReady || this.#isStopping) {
      this.#fill();
      return;
    }
    this.#failed += 1;
    // While there is one that serves, it is no fault of the target: somebody kills them, or memory is short.
    if (this.#failed >= TRIES && ![...this.lones].some(({ isReady }) => isReady)) {
      this.onGivenUp(`a process of its own for a run cannot be started: ${why}`);
      return;
    }
    this.log('error', `a process of its own for a run could not start: ${why}`);
    this.#pause ??= setTimeout(
      () => {
        this.#pause = undefined;
        this.#fill();
      },
      Math.min(PAUSE * 2 ** this.#failed, PAUSE_MOST),
    );
  }

  /** Settles when none of them is there any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#pause);
    clearTimeout(this.#later);
    for (const lone of this.lones) {
      if (lone.runs.size > 0) lone.kill();
      else void lone.close();
    }
    await Promise.all([...this.lones].map(({ over }) => over));
  }
}
