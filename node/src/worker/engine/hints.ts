/** Listens to {app}:cmd, where workers are told that something is worth a look. Never the only carrier of a fact. */

import type { Subscription, Transport } from '../../transport/index.js';
import type { Keys } from '../../values/keys.js';

const RETRY_EVERY = 5000;

/** onHint hears each message: a verb, a blank, and what it is about (`parked default`). */
export class Hints {
  readonly #subscription: Subscription;
  #timer: NodeJS.Timeout | undefined;

  constructor(transport: Transport, keys: Keys, onHint: (message: string) => void) {
    this.#subscription = transport.subscribe([keys.cmd], { onMessage: (_, payload) => onHint(payload.toString()) });
  }

  /** Listens as soon as it can. */
  open(): void {
    // Once it was open it mends itself.
    this.#subscription.open().catch(() => {
      this.#timer = setTimeout(() => this.open(), RETRY_EVERY);
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#subscription.close();
  }
}
