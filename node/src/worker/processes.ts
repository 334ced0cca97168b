/** Joins the process that runs share and the processes of runs that are alone, as one executor. Has no process itself. */

import type { Executor, Hearer, Job, Lane, Served, Why } from './engine/executor.js';

/** The executor of the command line's worker: each lane has one of its own. */
export class Processes implements Executor {
  /** shared knows the functions; alone: undefined where no run has a process of its own. */
  constructor(
    private readonly shared: Executor & { open(): Promise<void> },
    private readonly alone: Executor | undefined,
  ) {}

  get functions(): ReadonlyMap<string, Served> {
    return this.shared.functions;
  }

  /** Settles when the functions are known. Throws CannotStart. */
  open(): Promise<void> {
    return this.shared.open();
  }

  #of(lane: Lane): Executor | undefined {
    return lane === 'shared' ? this.shared : this.alone;
  }

  get #both(): Executor[] {
    return this.alone === undefined ? [this.shared] : [this.shared, this.alone];
  }

  slots(lane: Lane): number {
    return this.#of(lane)?.slots(lane) ?? 0;
  }

  free(lane: Lane): number {
    return this.#of(lane)?.free(lane) ?? 0;
  }

  begin(hearer: Hearer): void {
    for (const one of this.#both) one.begin(hearer);
  }

  /** The engine starts jobs of one lane at a time. */
  start(jobs: readonly Job[]): void {
    const [first] = jobs;
    if (first !== undefined) this.#of(first.lane)?.start(jobs);
  }

  order(job: Job, why: Why, reason: string): void {
    this.#of(job.lane)?.order(job, why, reason);
  }

  kill(job: Job): void {
    this.#of(job.lane)?.kill(job);
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
