/** Decides whether what has failed is tried again, and when. Sends nothing and does not wait. */

import { Unreached } from './explain.js';
import { LinkLost, Refusal } from './faults.js';

const TRIES = 5;
// Seconds: as long as another node may need to take over. Where there is none, one wants to hear of it at once.
const TAKEOVER = 10;
const PASSING = ['ASK', 'TRYAGAIN', 'CLUSTERDOWN', 'READONLY', 'MOVED', 'LOADING', 'MASTERDOWN'] as const;

/** Did this command do nothing, and may another try find it otherwise? */
export function isPassing(error: unknown): boolean {
  return error instanceof Refusal && error.is(...PASSING);
}

/** Seconds before the next try, after so many. */
export const backOff = (count: number): number => Math.min(0.05 * 2 ** (count - 1), 0.5);

/** The tries of one command. moves: may another node take over? forever: never gives up what passes. */
export class Tries {
  #count = 0;
  readonly #until = performance.now() + TAKEOVER * 1000;

  constructor(private readonly forever: boolean) {}

  /** Seconds until the next try; undefined: there is no use in one. useful: may it be otherwise next time? */
  pause(error: unknown, moves: boolean, useful: boolean): number | undefined {
    if (!(isPassing(error) || error instanceof LinkLost || error instanceof Unreached)) return undefined;
    this.#count += 1;
    const silent = (error instanceof LinkLost && !error.answered) || (error instanceof Unreached && error.silent);
    if (!this.forever && (!useful || this.#isOver(silent, moves))) return undefined;
    if (this.#count === 1 && error instanceof Refusal && error.is('MOVED')) return 0;
    return backOff(this.#count);
  }

  #isOver(silent: boolean, moves: boolean): boolean {
    // One has waited long enough for an answer, unless another node can give it.
    const over = silent || this.#count >= TRIES;
    return over && !(moves && performance.now() < this.#until);
  }
}
