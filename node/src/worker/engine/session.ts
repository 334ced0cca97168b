/**
 * Sends calls until they are answered, and counts those under way. Decides nothing of tasks.
 *
 * A call whose connection is lost is sent again on the next one (transport), in order, for a claim that came after a later
 * one would be taken for its repetition. Here is added what a worker has to sit
 * out and a client would rather hear of: a server that cannot write to its disk, or is busy with somebody's script.
 */

import type { Arg, Call } from '../../commands/index.js';
import { Pauses, type Transport } from '../../transport/index.js';
import type { Log } from './log.js';

const SITS_OUT = /\b(BUSY|MISCONF|NOREPLICAS|UNBLOCKED)\b/;
const RETRY_AFTER = 500;
const COMPLAIN_EVERY = 30_000;

/** The calls of one worker. */
export class Session {
  /** How many calls have no answer yet. */
  inFlight = 0;
  closed = false;
  readonly #pauses = new Pauses();
  #complainAt = 0;

  constructor(
    readonly transport: Transport,
    private readonly log: Log,
  ) {}

  /** Seconds without any sign of life of the server's host. */
  silence(): number {
    return (performance.now() - this.transport.heardAt) / 1000;
  }

  /** The reply of a call, however long that takes. Throws ServerError for what Redis refuses, or once it is closed. */
  call<T>(call: Call<T>): Promise<T> {
    return this.#persist(() => this.transport.send(call));
  }

  /** The replies of plain commands that may be sent twice, as call. */
  commands(commands: readonly (readonly Arg[])[]): Promise<unknown[]> {
    return this.#persist(() => this.transport.pipeline(commands, { repeat: true }));
  }

  async #persist<T>(send: () => Promise<T>): Promise<T> {
    this.inFlight += 1;
    try {
      if (this.#pauses.over !== undefined) await this.#pauses.over;
      for (;;) {
        try {
          return await send();
        } catch (error) {
          if (this.closed || !SITS_OUT.test((error as Error).message)) throw error;
          this.#complain((error as Error).message);
        }
        await this.#pauses.wait(RETRY_AFTER / 1000);
      }
    } finally {
      this.inFlight -= 1;
    }
  }

  #complain(words: string): void {
    const now = performance.now();
    if (now < this.#complainAt) return;
    this.#complainAt = now + COMPLAIN_EVERY;
    this.log('warning', `Redis puts calls off, they are sent again: ${words}`);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.transport.close();
  }
}
