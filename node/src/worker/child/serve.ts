/** Runs the jobs that come over the line, so many at once, and tells how they go. Knows no Redis. */

import type { Failure, Job, Why } from '../engine/executor.js';
import type { Local, LocalHearer } from '../local.js';
import { KIND, type Payload, packFailure, readJob } from '../wire.js';
import type { Alone } from './alone.js';
import type { Link } from './link.js';

/** The jobs of one child. */
export class Service implements LocalHearer {
  readonly #jobs = new Map<number, Job>();
  // Characters of output that were passed on, of those that are under way.
  readonly #passed = new Map<number, number>();
  #ahead: Job[] = [];
  #beginning = false;

  /** outputCap: bytes of output of one run that are kept; alone: given where there is one run at a time. */
  constructor(
    private readonly link: Link,
    private readonly local: Local,
    private readonly outputCap: number,
    private readonly alone: Alone | undefined,
  ) {
    local.begin(this);
  }

  /** The only job that is under way, if there is just one. */
  get only(): Job | undefined {
    const [first] = this.#jobs.values();
    return this.#jobs.size === 1 ? first : undefined;
  }

  /** Takes one frame of the parent. */
  hear(kind: number, payload: Payload): void {
    if (kind === KIND.JOB) this.#add(readJob(payload));
    else if (kind === KIND.ORDER) this.#order(payload.number(), payload.text() as Why, payload.text());
    else if (kind === KIND.TAKE_BACK) this.#giveBack();
  }

  #add(job: Job): void {
    this.#jobs.set(job.number, job);
    this.#ahead.push(job);
  }

  /** Begins what there is room for. */
  begin(): void {
    if (this.#beginning) return; // a run that ends at once comes here again
    this.#beginning = true;
    while (this.#ahead.length > 0) {
      const free = this.local.free('shared');
      if (free <= 0) break;
      const jobs = this.#ahead.splice(0, free);
      this.local.start(this.alone === undefined ? jobs : jobs.filter((job) => this.#mayBegin(job, this.alone!)));
    }
    this.#beginning = false;
  }

  #mayBegin(job: Job, alone: Alone): boolean {
    const may = alone.begin(job);
    if (!may) this.#jobs.delete(job.number);
    return may;
  }

  #order(number: number, why: Why, reason: string): void {
    const job = this.#jobs.get(number);
    if (job !== undefined) this.local.order(job, why, reason);
  }

  #giveBack(): void {
    const back = [...this.local.takeBack(), ...this.#ahead.splice(0)];
    if (back.length === 0) return;
    for (const { number } of back) this.#jobs.delete(number);
    this.link.say((packer) => {
      packer.begin(KIND.UNBEGUN);
      for (const { number } of back) packer.number(number);
      packer.end();
    });
  }

  // What comes before the word that a run has ended.
  #ending(job: Job): void {
    const used = this.alone?.end(job);
    if (used === undefined) return;
    this.link.say((packer) => packer.begin(KIND.USED).number(job.number).number(used.cpu).number(used.memory).end());
  }

  #ended(job: Job): void {
    this.#jobs.delete(job.number);
    this.#passed.delete(job.number);
    // The parent has the end of a run before the next one begins: if this process dies then, it knows who is to blame.
    if (this.alone !== undefined) this.link.flush();
    if (this.#ahead.length > 0) this.begin();
  }

  returned(job: Job, json: string | Buffer): void {
    this.#ending(job);
    this.link.say((packer) => {
      packer.begin(KIND.RETURNED).number(job.number);
      if (typeof json === 'string') packer.text(json).end();
      else packer.bytes(json).end();
    });
    this.#ended(job);
  }

  failed(job: Job, failure: Failure): void {
    this.#ending(job);
    this.link.say((packer) => packFailure(packer, job.number, failure));
    this.#ended(job);
  }

  died(job: Job): void {
    this.#jobs.delete(job.number); // never asked for here: the parent kills processes
  }

  output(job: Job, stream: string, text: string, at: number): void {
    const passed = this.#passed.get(job.number) ?? 0;
    // One more than is kept, so that it can be said that there was more.
    const kept = text.slice(0, Math.max(0, this.outputCap + 1 - passed));
    if (kept === '') return;
    this.#passed.set(job.number, passed + kept.length);
    this.link.say((packer) => packer.begin(KIND.OUTPUT).number(job.number).text(stream).number(at).text(kept).end());
    this.link.flush(); // a run may sit in a loop from now on, or end the process
  }

  progress(job: Job, json: string): void {
    this.link.say((packer) => packer.begin(KIND.PROGRESS).number(job.number).text(json).end());
    this.link.flush();
  }
}
