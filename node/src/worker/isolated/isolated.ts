/**
 * Runs of lane `alone`: each has a process for itself while it runs, and can be ended by force. The parent's side.
 *
 * Processes are given small batches of short runs ahead, for it is the round trips that cost. What waits behind a run
 * that turns out long is taken back; each run is begun by exactly one process (child/gate.ts). When a process dies, the
 * oldest of its runs is to blame, for the end of each is told before the next begins. The others go back.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Executor, Hearer, Job, Lane, Why } from '../engine/executor.js';
import type { Log } from '../engine/log.js';
import { relay } from '../relay.js';
import { type Broken, KIND, type Setup } from '../wire.js';
import { BATCH_WORTH, Estimate } from './estimate.js';
import { Falls } from './falls.js';
import type { Frame, Lone } from './lone.js';
import { Nursery, type NurseryOptions } from './nursery.js';
import { Watch } from './watch.js';

const ANSWER_WITHIN = 1000; // ms that a process has to say what it has not begun, before it is killed without

/** The pool of one worker. Its processes are started when it is opened, or has a first job. */
export class Isolated implements Omit<Executor, 'functions'> {
  readonly #estimate = new Estimate();
  readonly #falls = new Falls();
  readonly #nursery: Nursery;
  readonly #watch: Watch;
  #hearer!: Hearer;
  // The next job wants a process that is idle, and there was none.
  #wantsIdle = false;

  constructor(
    setup: Setup,
    options: NurseryOptions,
    private readonly log: Log,
  ) {
    const ears = {
      output: (lone: Lone, stream: 'stdout' | 'stderr', text: string) => this.#wrote(lone, stream, text),
      frames: (lone: Lone, frames: readonly Frame[], ends: number) => this.#hear(lone, frames, ends),
      ended: (lone: Lone, how: string) => this.#ended(lone, how),
      unbegun: (jobs: readonly Job[]) => this.#hearer.unbegun(jobs),
    };
    this.#nursery = new Nursery(setup, options, ears, (why) => this.#hearer.broken(why), log);
    this.#watch = new Watch(this.#nursery.lones, {
      heavy: (job, added) => this.#hearer.heavy(job, added),
      stuck: (lone) => void lone.takeBack(),
    });
  }

  /** Starts its processes, before there is a job for them. */
  open(): void {
    this.#nursery.open();
  }

  slots(lane: Lane): number {
    if (lane !== 'alone') return 0;
    const batch = this.#estimate.batch();
    const most = batch === 1 ? 1 : 2 * batch; // so that none of them waits for Redis
    let slots = 0;
    for (const lone of this.#nursery.lones) slots += Math.max(lone.runs.size, this.#flows(lone) ? most : 0);
    return Math.max(slots, this.#nursery.options.size);
  }

  free(lane: Lane): number {
    if (lane !== 'alone') return 0;
    if (!this.#nursery.isOpen) return this.#nursery.options.size;
    const batch = this.#wantsIdle ? 1 : this.#estimate.batch();
    let free = 0;
    for (const lone of this.#nursery.lones) if (this.#flows(lone)) free += Math.max(0, batch - lone.runs.size);
    return free;
  }

  // Is it idle, or in a run that is not a long one?
  #flows(lone: Lone): boolean {
    if (!lone.isOpen) return false;
    return lone.runs.size === 0 || (!lone.isAlone && performance.now() - lone.progressAt < BATCH_WORTH);
  }

  begin(hearer: Hearer): void {
    this.#hearer = hearer;
  }

  start(jobs: readonly Job[]): void {
    if (!this.#nursery.isOpen) this.#nursery.open();
    let at = 0;
    for (let given = -1; given !== 0 && at < jobs.length; at += given) given = this.#give(jobs, at);
    this.#watch.mind();
    if (at === jobs.length) return;
    this.#wantsIdle = true;
    this.#hearer.unbegun(jobs.slice(at));
  }

  // Gives a batch to the process that has least to do; how many?
  #give(jobs: readonly Job[], at: number): number {
    const batch = this.#estimate.batch();
    const flowing = [...this.#nursery.lones].filter((lone) => this.#flows(lone));
    const lone = flowing.reduce<Lone | undefined>((a, b) => (a && a.runs.size <= b.runs.size ? a : b), undefined);
    if (lone === undefined || lone.runs.size >= batch) return 0;
    const share = Math.min(batch - lone.runs.size, Math.ceil((jobs.length - at) / flowing.length));
    const count = this.#estimate.worth(jobs, at, share, lone.isIdle);
    if (count === 0) return 0;
    if (lone.isIdle) {
      this.#wantsIdle = false;
      lone.isAlone = this.#estimate.isAlone(jobs[at]!);
    }
    lone.give(jobs.slice(at, at + count));
    return count;
  }

  #of(job: Job): Lone | undefined {
    for (const lone of this.#nursery.lones) if (lone.runs.has(job.number)) return lone;
    return undefined;
  }

  order(job: Job, why: Why, reason: string): void {
    const lone = this.#of(job);
    if (lone === undefined) return;
    lone.order(job, why, reason);
    if (lone.head !== job) void lone.takeBack(); // it may not have begun; then its time has not either
  }

  takeBack(): Job[] {
    for (const lone of this.#nursery.lones) if (lone.runs.size > 1) void lone.takeBack();
    return []; // told by unbegun: only the process knows what it has begun
  }

  kill(job: Job): void {
    const lone = this.#of(job);
    if (lone !== undefined && !lone.isHeld) void this.#kill(lone, job);
  }

  // When nothing can begin behind the run any more, the kill can hit no other.
  async #kill(lone: Lone, job: Job): Promise<void> {
    lone.isHeld = true;
    const noAnswer = pause(ANSWER_WITHIN, true, { ref: false });
    const isUnknown = await Promise.race([takeAllBack(lone), noAnswer]);
    if (lone.head === job && (isUnknown || lone.runs.size === 1)) {
      this.#falls.condemn(lone, job);
      lone.kill();
      return;
    }
    lone.isHeld = false;
    this.#hearer.freed();
  }

  loseAll(): void {
    for (const lone of this.#nursery.lones) {
      if (lone.runs.size === 0) continue;
      lone.runs.clear();
      lone.isHeld = true;
      lone.kill();
    }
  }

  async stop(): Promise<void> {
    this.#watch.stop();
    await this.#nursery.stop();
  }

  // What processes tell.

  #wrote(lone: Lone, stream: 'stdout' | 'stderr', text: string): void {
    const job = lone.head!;
    this.#estimate.isNoisy(job);
    this.#hearer.output(job, stream, text, Date.now());
  }

  #hear(lone: Lone, frames: readonly Frame[], ends: number): void {
    if (ends > 0) this.#learn(lone, ends);
    for (const frame of frames) this.#heed(lone, frame);
    if (ends > 0) this.#nursery.mind(lone);
  }

  #learn(lone: Lone, ends: number): void {
    const now = performance.now();
    const took = (now - lone.progressAt) / ends;
    lone.progressAt = now;
    let left = ends;
    for (const job of lone.runs.values()) {
      if (left === 0) break;
      left -= 1;
      this.#estimate.learn(job, took);
    }
  }

  #heed(lone: Lone, [kind, payload]: Frame): void {
    if (kind === KIND.HELLO) {
      this.#nursery.greeted(lone);
      this.#hearer.freed();
    } else if (kind === KIND.BROKEN) this.#falls.broke(lone, JSON.parse(payload.text()) as Broken);
    else if (kind === KIND.LEAVING) this.#falls.leaving(lone, payload.number(), payload.text());
    else relay(kind, payload, lone.runs as Map<number, Job>, this.#hearer, this.log);
  }

  #ended(lone: Lone, how: string): void {
    const runs = [...lone.runs.values()];
    lone.runs.clear();
    this.#nursery.lost(lone, this.#falls.causeOf(lone, how)); // first: who hears of an end gives the next jobs at once
    this.#falls.tell(lone, runs, how, this.#hearer);
    this.#hearer.freed();
  }
}

// The first may have been asked before the last of its jobs was given.
async function takeAllBack(lone: Lone): Promise<false> {
  await lone.takeBack();
  if (lone.runs.size > 1) await lone.takeBack();
  return false;
}
