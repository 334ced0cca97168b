/** A pause before the next try that all tries of one connection share. Decides nothing; tries.ts says how long. */

import { setTimeout as pause } from 'node:timers/promises';

/** Who waits goes on in the order of coming: what Redis has to hear in order stays so when it is sent again. */
export class Pauses {
  #over: Promise<void> | undefined;

  /** Settles with the pause that is on, if one is. */
  get over(): Promise<void> | undefined {
    return this.#over;
  }

  /** Waits with the others, or begins a pause of so many seconds. */
  wait(seconds: number): Promise<void> {
    this.#over ??= pause(seconds * 1000).then(() => {
      this.#over = undefined;
    });
    return this.#over;
  }
}
