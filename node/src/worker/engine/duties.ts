/** The duties that any worker may do for all: promote what is due, recover what is lost. Redis keeps them rare. */

import { cancel, promote, recover } from '../../commands/index.js';
import type { Keys } from '../../values/keys.js';
import { FAILED_TTL, LOSSES } from '../../values/states.js';
import type { Log } from './log.js';
import type { Session } from './session.js';

const PROMOTE_EVERY = 100; // ms
const PROMOTE_MOST = 500; // ids a queue and call
const RECOVER_EVERY = 1000;
const CANCEL_MOST = 100; // ids a call
// A call a little early does nothing, so the interval that Redis keeps is shorter than that of each worker.
const SHARE = 0.75;

/** Does them until it is ended. */
export class Duties {
  #timers = new Map<string, NodeJS.Timeout>();
  #cancelling = false;
  #ended = false;

  constructor(
    private readonly session: Session,
    private readonly keys: Keys,
    private readonly resultTtl: number,
    private readonly log: Log,
  ) {}

  begin(): void {
    void this.#promote(Math.floor(PROMOTE_EVERY * SHARE));
    void this.#recover();
  }

  end(): void {
    this.#ended = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #next(name: string, wait: number, work: () => void): void {
    if (!this.#ended) this.#timers.set(name, setTimeout(work, wait));
  }

  async #promote(intervalMs: number): Promise<void> {
    let wait = PROMOTE_EVERY;
    let nextInterval = Math.floor(PROMOTE_EVERY * SHARE);
    try {
      const [word, count, dueIn, , cancels] = await this.session.call(
        promote(this.keys, { intervalMs, limit: PROMOTE_MOST }),
      );
      if (word === 'promoted') {
        if (Number(dueIn) >= 0) wait = Math.min(wait, Number(dueIn) + 1);
        // After a full call more is due already: then the next one is not too early.
        if (Number(count) >= PROMOTE_MOST) [wait, nextInterval] = [0, 0];
        if (Number(cancels) > 0) void this.#cancel();
      }
    } catch (error) {
      this.#refused('promote', error);
    }
    this.#next('promote', wait, () => void this.#promote(nextInterval));
  }

  async #recover(): Promise<void> {
    const { keys, resultTtl } = this;
    const intervalMs = Math.floor(RECOVER_EVERY * SHARE);
    try {
      const call = recover(keys, { intervalMs, losses: LOSSES, resultTtl, failedTtl: FAILED_TTL });
      this.#recovered(await this.session.call(call));
    } catch (error) {
      this.#refused('recover', error);
    }
    this.#next('recover', RECOVER_EVERY, () => void this.#recover());
  }

  #recovered([word, ...counts]: readonly (string | number)[]): void {
    if (word === 'amnesty' && (counts[1] || counts[2])) {
      this.log('warning', `taken back from dead workers: ${counts[1]} tasks run again, ${counts[2]} failed as lost`);
    } else if (word === 'recovered' && counts.some(Boolean)) {
      const [gone, again, lost, unclaimed] = counts;
      this.log(
        'warning',
        `recovered: ${gone} workers gone, ${again} of their tasks run again, ${lost} failed as lost, ` +
          `${unclaimed} unclaimed taken back`,
      );
    }
  }

  // Acts on the ids that were pushed to the cancel list.
  async #cancel(): Promise<void> {
    if (this.#cancelling) return;
    this.#cancelling = true;
    try {
      const call = () => cancel(this.keys, [], { take: CANCEL_MOST, resultTtl: this.resultTtl });
      while ((await this.session.call(call())).length >= CANCEL_MOST && !this.#ended);
    } catch (error) {
      this.#refused('cancel', error);
    }
    this.#cancelling = false;
  }

  #refused(what: string, error: unknown): void {
    if (!this.#ended) this.log('warning', `${what} was refused: ${(error as Error).message}`);
  }
}
