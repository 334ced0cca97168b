/** Tells the engine what a child tells of its runs. What it says of jobs that are not its own any more is not heard. */

import type { Hearer, Job } from './engine/executor.js';
import type { Level, Log } from './engine/log.js';
import { KIND, type Payload, readFailure } from './wire.js';

/** Hears one frame of a child. jobs: what it has, by number; those that end here are taken out. */
export function relay(kind: number, payload: Payload, jobs: Map<number, Job>, hearer: Hearer, log: Log): void {
  if (kind === KIND.LOG) {
    log(payload.text() as Level, payload.text());
    return;
  }
  if (kind === KIND.UNBEGUN) {
    giveBack(payload, jobs, hearer);
    return;
  }
  const job = jobs.get(payload.number());
  if (job === undefined) return;
  if (kind === KIND.RETURNED || kind === KIND.FAILED) jobs.delete(job.number);
  if (kind === KIND.RETURNED) hearer.returned(job, payload.bytes());
  else if (kind === KIND.FAILED) hearer.failed(job, readFailure(payload));
  else if (kind === KIND.PROGRESS) hearer.progress(job, payload.text());
  else if (kind === KIND.USED) hearer.used(job, payload.number(), payload.number());
  else if (kind === KIND.OUTPUT) output(job, payload, hearer);
}

function output(job: Job, payload: Payload, hearer: Hearer): void {
  const stream = payload.text() as 'stdout' | 'stderr' | 'log';
  const at = payload.number();
  hearer.output(job, stream, payload.text(), at);
}

function giveBack(payload: Payload, jobs: Map<number, Job>, hearer: Hearer): void {
  const back: Job[] = [];
  while (!payload.isOver) {
    const job = jobs.get(payload.number());
    if (job === undefined) continue;
    jobs.delete(job.number);
    back.push(job);
  }
  if (back.length > 0) hearer.unbegun(back);
}
