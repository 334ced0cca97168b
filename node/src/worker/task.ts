/** What a run can know of itself, and tell of itself: the second argument of a handler. Reads nothing from Redis. */

import type { Claimed } from '../commands/index.js';
import { encode } from '../values/codec.js';
import { textOf } from '../values/text.js';
import { formatTimestamp } from '../values/times.js';
import type { Job } from './engine/executor.js';

/** Characters of a progress text that are kept. */
const PROGRESS_TEXT = 1000;

/** Hears what a run tells. */
export interface Ear {
  progress(json: string): void;
  log(text: string): void;
}

/** The run that a handler is part of. */
export class Task {
  readonly #job: Job;
  readonly #ear: Ear;
  readonly #beganAt = performance.now();
  // Made when somebody asks: few runs do.
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  /** Only a worker makes one. */
  constructor(job: Job, ear: Ear) {
    this.#job = job;
    this.#ear = ear;
  }

  get #task(): Claimed {
    return this.#job.task;
  }

  /** The task's id, the same in every run of it. */
  get id(): string {
    return textOf(this.#task.id);
  }

  /** The name of its function. */
  get function(): string {
    return this.#job.function;
  }

  get queue(): string {
    return textOf(this.#task.queue);
  }

  /** 1 for the first run of the task. */
  get attempt(): number {
    return Number(this.#task.attempts.toString());
  }

  /** A token that no other run has, of this task or another: what an outside system needs to see a run twice. */
  get claim(): string {
    return textOf(this.#task.claim);
  }

  /** Who asked for the task, where its producer said so. */
  get username(): string | undefined {
    return this.#task.username === null ? undefined : textOf(this.#task.username);
  }

  /** The W3C trace context of its producer, where there is one. */
  get traceparent(): string | undefined {
    return this.#task.traceparent === null ? undefined : textOf(this.#task.traceparent);
  }

  /** Seconds until its time is up; undefined without a time limit. */
  get secondsLeft(): number | undefined {
    const { timeLimit } = this.#job;
    return timeLimit === undefined ? undefined : timeLimit - (performance.now() - this.#beganAt) / 1000;
  }

  /**
   * Aborts when this run shall end, with the reason: TimeLimitExceeded, TaskCancelled, or that the worker stops or has
   * lost the task. Hand it to fetch and the like. What goes on half a second later is ended by force, or given up.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /**
   * Tells how far this run is, for Handle.progress and `doshit show --follow`.
   *
   * fraction: 0 to 1, what lies beyond is brought there; undefined: unknown. text: one line, cut after 1000 characters.
   * Cheap enough for a loop: what comes faster than it can be passed on is told as the latest only.
   */
  progress(fraction: number | undefined, text = ''): void {
    const known = typeof fraction === 'number' && !Number.isNaN(fraction);
    const kept = known ? Math.min(Math.max(fraction, 0), 1) : null;
    const line = Buffer.from(String(text).slice(0, PROGRESS_TEXT)).toString();
    this.#ear.progress(encode({ fraction: kept, text: line, at: formatTimestamp(new Date()) }));
  }

  /** Writes a line of the task's output, which is kept with it. Texts go as they are, all else as JSON. */
  log(...parts: readonly unknown[]): void {
    this.#ear.log(`${parts.map(textOfPart).join(' ')}\n`);
  }

  /** Only its worker calls this. */
  static abort(task: Task, reason: Error): void {
    task.#reason ??= reason;
    task.#controller?.abort(reason);
  }
}

function textOfPart(part: unknown): string {
  if (typeof part === 'string') return part;
  if (part instanceof Error) return part.stack ?? part.message;
  try {
    return JSON.stringify(part) ?? String(part);
  } catch {
    return String(part);
  }
}
