/** Runs the jobs that come over the line, so many at once, and tells how they go. Knows no Redis. */

import type { Failure, Job, Why } from '../engine/executor.js';
import type { Local, LocalHearer } from '../local.js';
import { KIND, type Payload, packFailure, readJob } from '../wire.js';
import type { Link } from './link.js';

/** The jobs of one child. */
export class Service implements LocalHearer {
  readonly #jobs = new Map<number, Job>();
  #ahead: Job[] = [];
  #beginning = false;

  constructor(
    private readonly link: Link,
    private readonly local: Local,
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
      this.local.start(this.#ahead.splice(0, free));
    }
    this.#beginning = false;
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

  #ended(job: Job): void {
    this.#jobs.delete(job.number);
    if (this.#ahead.length > 0) this.begin();
  }

  returned(job: Job, json: string | Buffer): void {
    this.link.say((packer) => {
      packer.begin(KIND.RETURNED).number(job.number);
      if (typeof json === 'string') packer.text(json).end();
      else packer.bytes(json).end();
    });
    this.#ended(job);
  }

  failed(job: Job, failure: Failure): void {
    this.link.say((packer) => packFailure(packer, job.number, failure));
    this.#ended(job);
  }

  died(job: Job): void {
    this.#jobs.delete(job.number); // never asked for here: the parent kills processes
  }

  output(job: Job, stream: string, text: string, at: number): void {
    this.link.say((packer) => packer.begin(KIND.OUTPUT).number(job.number).text(stream).number(at).text(text).end());
  }

  progress(job: Job, json: string): void {
    this.link.say((packer) => packer.begin(KIND.PROGRESS).number(job.number).text(json).end());
  }
}
