/** One warm process that runs one job at a time: the parent's side of it. Tells what happens; decides nothing. */

import { Child } from '../children.js';
import type { Job, Why } from '../engine/executor.js';
import { KIND, type Payload, packJob, packOrder, type Setup } from '../wire.js';
import { Raw } from './raw.js';
import { Scales } from './scales.js';

/** Hears one process. Frames and the end are told in a turn of their own, when all that was written before has been read. */
export interface LoneEars {
  output(lone: Lone, stream: 'stdout' | 'stderr', text: string): void;
  /** ends: how many of its runs, from the oldest on, are over by these. */
  frames(lone: Lone, frames: readonly Frame[], ends: number): void;
  ended(lone: Lone, how: string): void;
  /** These were given back, oldest first. */
  unbegun(jobs: readonly Job[]): void;
}

/** One thing that it has said. */
export type Frame = readonly [kind: number, payload: Payload];

/** runs: what it was given and has neither ended nor given back, in order; the first one is running. */
export class Lone {
  readonly runs = new Map<number, Job>();
  readonly scales: Scales;
  readonly raw: Raw;
  isReady = false;
  /** It gets nothing more, and ends when it has nothing to run. */
  isLeaving = false;
  /** It gets nothing while it is being killed. */
  isHeld = false;
  /** Nothing may be put behind its run. */
  isAlone = false;
  /** When it was last seen to do something, ms of performance.now(). */
  progressAt = performance.now();
  /** How many jobs it was given so far. */
  given = 0;
  readonly #child: Child;
  #frames: Frame[] = [];
  #taking: Promise<void> | undefined;

  constructor(
    setup: Setup,
    private readonly ears: LoneEars,
  ) {
    this.raw = new Raw(setup.outputCap, (stream, text) => ears.output(this, stream, text));
    this.#child = new Child(setup, {
      frame: (kind, payload) => this.#hear([kind, payload]),
      ended: (how) => setImmediate(() => this.#ended(how)),
      output: setup.outputCap > 0 ? (stream, data) => this.raw.take(stream, data, this.head) : undefined,
    });
    this.scales = new Scales(this.#child.pid ?? 0);
  }

  /** The job that is running. */
  get head(): Job | undefined {
    return this.runs.size === 0 ? undefined : this.runs.values().next().value;
  }

  get serves(): boolean {
    return this.isReady && !this.isLeaving && !this.isHeld;
  }

  /**
   * Does it take jobs? Not while it is asked what it has begun: if it died with the answer, nobody could tell whether the
   * run to blame is the oldest or one that was given since.
   */
  get isOpen(): boolean {
    return this.serves && this.#taking === undefined;
  }

  get isIdle(): boolean {
    return this.isOpen && this.runs.size === 0;
  }

  give(jobs: readonly Job[]): void {
    const [first] = jobs;
    if (this.runs.size === 0 && first !== undefined) this.#beginsFirst(first);
    for (const job of jobs) {
      this.runs.set(job.number, job);
      this.#child.say((packer) => packJob(packer, job));
    }
    this.given += jobs.length;
  }

  #beginsFirst(job: Job): void {
    this.progressAt = performance.now();
    if (job.timeLimit !== undefined || job.memoryLimit !== undefined) this.scales.begin(job);
  }

  order(job: Job, why: Why, reason: string): void {
    this.#child.say((packer) => packOrder(packer, job.number, why, reason));
  }

  /** Takes back what it has not begun. Settles when that is known and told; until then it is not asked again. */
  takeBack(): Promise<void> {
    this.#taking ??= this.#ask().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async #ask(): Promise<void> {
    const asked = [...this.runs.values()];
    const last = this.given;
    const begun = (await this.#child.takeBack(last)) ?? last;
    const back = begun < last ? asked.slice(asked.length - (last - begun)) : [];
    this.ears.unbegun(back.filter(({ number }) => this.runs.delete(number)));
  }

  // The ends of runs are heard a moment later than what they have written: then all of that is there.
  #hear(frame: Frame): void {
    this.#frames.push(frame);
    if (this.#frames.length === 1) setImmediate(this.#tell);
  }

  readonly #tell = (): void => {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    let ends = 0;
    for (const [kind] of frames) if (kind === KIND.RETURNED || kind === KIND.FAILED) ends += 1;
    this.ears.frames(this, frames, ends);
  };

  #ended(how: string): void {
    this.#tell();
    this.ears.ended(this, this.raw.isHeapFull ? `${how}: JavaScript heap out of memory` : how);
  }

  /** Ends it and all that its run has started. Its end comes like any other. */
  kill(): void {
    this.scales.keep();
    this.#child.kill();
  }

  /** Has it end by itself. Settles when it is there no more. */
  close(): Promise<void> {
    return this.#child.close();
  }

  get over(): Promise<void> {
    return this.#child.over;
  }
}
