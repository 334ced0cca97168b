/** What one worker is told, whoever starts it. Reads no environment. */

import { ARGS_CAP, OUTPUT_CAP, REASON_CAP, RESULT_CAP, RESULT_TTL, TRACEBACK_CAP } from '../values/states.js';

/** Durations are seconds, sizes bytes, and characters for reasons and stacks. */
export interface Settings {
  /** Served in this order. */
  readonly queues: readonly string[];
  /** Runs at once. */
  readonly concurrency: number;
  /** How long the hash of a successful task is kept that says nothing else. */
  readonly resultTtl: number;
  /** How long a function that nobody serves may wait for somebody. */
  readonly unknownGrace: number;
  /** What runs get to end after a stop was asked for. */
  readonly grace: number;
  /** No run gets more than this, whatever it wishes; undefined: there is no cap. */
  readonly timeLimitCap: number | undefined;
  readonly memoryLimitCap: number | undefined;
  /** Kept of what a run prints; 0: nothing is. */
  readonly outputCap: number;
  readonly argsCap: number;
  readonly resultCap: number;
  readonly reasonCap: number;
  readonly tracebackCap: number;
  /** Stop by itself once the queues are empty. */
  readonly burst: boolean;
  /** Where the user's code shares the event loop: how long that may be busy until others may have the tasks. */
  readonly busyMost: number;
}

/** What holds where nothing is said. */
export const DEFAULTS: Settings = {
  queues: ['default'],
  concurrency: 100,
  resultTtl: RESULT_TTL,
  unknownGrace: 30,
  grace: 8,
  timeLimitCap: undefined,
  memoryLimitCap: undefined,
  outputCap: OUTPUT_CAP,
  argsCap: ARGS_CAP,
  resultCap: RESULT_CAP,
  reasonCap: REASON_CAP,
  tracebackCap: TRACEBACK_CAP,
  burst: false,
  busyMost: 60,
};
