/** One run of a task as the engine keeps it: the Job that executors see, and what is to become of it. */

import type { Claimed } from '../../commands/index.js';
import { textOf } from '../../values/text.js';
import type { Job, Lane, Why } from './executor.js';

/** A run that was told to end. killAt: ms of performance.now(). */
export interface Stopping {
  readonly why: Why;
  readonly reason: string;
  readonly killAt: number;
}

/** Made when its task was claimed. */
export class Run implements Job {
  readonly function: string;
  /** ms of performance.now(); 0: it was not given to the executor. */
  beganAt = 0;
  stopping: Stopping | undefined = undefined;

  constructor(
    readonly number: number,
    readonly task: Claimed,
    name: string,
    readonly lane: Lane,
    readonly timeLimit: number | undefined,
    readonly memoryLimit: number | undefined,
  ) {
    this.function = name;
  }
}

/** A run as the log names it. */
export function nameOf({ task }: Job): string {
  return `${JSON.stringify(textOf(task.id)).slice(1, -1)} ${JSON.stringify(textOf(task.function)).slice(1, -1)}`;
}
