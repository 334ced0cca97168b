/** A task before it is in Redis: what there is to say about it. Sends nothing. */

import { randomFillSync } from 'node:crypto';
import { uuid7 } from '../values/ids.js';

/** A task that is ready to be submitted. delay: seconds, "front" or "". ownId: the id was given. */
export interface Job {
  readonly id: string;
  readonly function: string;
  /** A JSON object. */
  readonly args: string;
  readonly queue: string;
  readonly delay: string;
  /** Further fields of the hash, flat. */
  readonly fields: readonly string[];
  readonly ownId: boolean;
}

const WORDS = 3 * 256;
const pool = new Uint32Array(WORDS);
let used = WORDS;

/** An id that nobody has: uuid7 of this moment. */
export function newId(): string {
  // Randomness is fetched for many ids at once: a call of it costs more than all the rest of an id.
  if (used === WORDS) {
    randomFillSync(pool);
    used = 0;
  }
  const random = [pool[used]! >>> 20, pool[used + 1]! >>> 2, pool[used + 2]!] as const;
  used += 3;
  return uuid7(Date.now(), random);
}
