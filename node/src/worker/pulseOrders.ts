/** What a worker and its beating thread say to each other. */

import type { RedisSource } from '../transport/index.js';

/** signs: when the event loop of the worker last gave a sign, monotonicSeconds(). patience: seconds. */
export interface ThreadData {
  readonly redis: RedisSource;
  readonly prefix: string;
  readonly patience: number;
  readonly signs: Int32Array;
}

/** Beat under this name from now on; or beat before it is time. */
export type Order = { readonly begin: string } | { readonly now: true };

/** A clock that never jumps, and is the same in all threads. */
export const monotonicSeconds = (): number => Number(process.hrtime.bigint() / 1_000_000_000n) & 0x7fffffff;
