/** Joins the process that runs share and the processes of runs that are alone, as one executor. Has no process itself. */

import type { Executor, Hearer, Job, Lane, Policy, Served, Why } from './engine/executor.js';

type Shared = Executor & { open(): Promise<void> };
type Alone = Omit<Executor, 'functions'> & { open(): void };

/** The executor of the command line's worker: each lane has one of its own. */
export class Processes implements Executor {
  /** shared knows the functions; allAlone: will all runs be alone, whatever their functions say? */
  constructor(
    private readonly shared: Shared,
    private readonly alone: Alone,
    private readonly allAlone: boolean,
  ) {}

  get functions(): ReadonlyMap<string, Served> {
    return this.shared.functions;
  }

  /** Settles when the functions are known. */
  open(): Promise<void> {
    return this.shared.open();
  }

  #of(lane: Lane): Alone | Shared {
    return lane === 'shared' ? this.shared : this.alone;
  }

  get #both(): (Alone | Shared)[] {
    return [this.shared, this.alone];
  }

  slots(lane: Lane): number {
    return this.#of(lane).slots(lane);
  }

  free(lane: Lane): number {
    return this.#of(lane).free(lane);
  }

  begin(hearer: Hearer): void {
    for (const one of this.#both) one.begin(hearer);
    // Not before: a process that is there says so to the hearer.
    if (this.allAlone || [...this.functions.values()].some(({ policy }) => isAlone(policy))) this.alone.open();
  }

  /** The engine starts jobs of one lane at a time. */
  start(jobs: readonly Job[]): void {
    const [first] = jobs;
    if (first !== undefined) this.#of(first.lane).start(jobs);
  }

  order(job: Job, why: Why, reason: string): void {
    this.#of(job.lane).order(job, why, reason);
  }

  kill(job: Job): void {
    this.#of(job.lane).kill(job);
  }

  takeBack(): Job[] {
    return this.#both.flatMap((one) => one.takeBack());
  }

  loseAll(): void {
    for (const one of this.#both) one.loseAll();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#both.map((one) => one.stop()));
  }
}

function isAlone({ isolate, memoryLimit }: Policy): boolean {
  return isolate === true || memoryLimit !== undefined;
}
