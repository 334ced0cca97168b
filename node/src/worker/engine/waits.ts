/**
 * The idle wait of one queue: a blocking BLMOVE on a connection of its own. Takes nothing itself; hands ids on.
 *
 * A wait's reply may be lost with its connection; the id then stands in executing with nobody holding it, and recover
 * brings it back. So a wait is never sent again by itself.
 */

import type { Line, Transport } from '../../transport/index.js';
import type { Keys } from '../../values/keys.js';
import type { Log } from './log.js';

const BLOCK = 2; // seconds of one BLMOVE: a dead client is not served for longer (half-open TCP)
const DEADLINE = BLOCK + 8; // then the connection counts as gone
const PAUSE = 1000; // ms after an error

/** What a wait tells. */
export interface Waiting {
  onId(queue: string, id: Buffer): void;
  /** Nothing came in time, or something went wrong. */
  onNothing(): void;
}

/** The wait of one queue. */
export class Wait {
  /** Is its command under way? Then its reply may bring an id. */
  armed = false;
  readonly #line: Line;
  readonly #command: readonly (string | number)[];
  #clientId = 0;
  #wanted = false;
  #unblocking = false;
  #notBefore = 0;

  constructor(
    transport: Transport,
    keys: Keys,
    readonly queue: string,
    private readonly hooks: Waiting,
    private readonly log: Log,
  ) {
    this.#line = transport.line();
    this.#command = ['BLMOVE', keys.pending(queue), keys.executing(queue), 'RIGHT', 'LEFT', BLOCK];
  }

  /** Begins to wait, if it does not. */
  arm(now: number): void {
    this.#wanted = true;
    if (this.armed || now < this.#notBefore) return;
    this.armed = true;
    this.#unblocking = false;
    void this.#wait();
  }

  /** The command that ends this wait early, for another connection; its own reply still comes. */
  unblock(): readonly (string | number)[] | undefined {
    this.#wanted = false;
    if (!this.armed || this.#unblocking || this.#clientId === 0) return undefined;
    this.#unblocking = true;
    return ['CLIENT', 'UNBLOCK', this.#clientId];
  }

  /** The command to unblock met no wait: it overtook it, perhaps, and has to be sent again. */
  missed(): void {
    this.#unblocking = false;
  }

  async #wait(): Promise<void> {
    let id: unknown = null;
    try {
      if (!this.#line.isOpen) await this.#greet();
      if (this.#wanted) id = await this.#line.call(this.#command, DEADLINE);
    } catch (error) {
      this.#notBefore = performance.now() + PAUSE;
      this.log('debug', `waiting on queue ${this.queue}: ${(error as Error).message}`);
    }
    this.armed = false;
    if (id === null) this.hooks.onNothing();
    else this.hooks.onId(this.queue, id as Buffer);
  }

  async #greet(): Promise<void> {
    this.#clientId = 0;
    await this.#line.open();
    // Who may not ask for it cannot end a wait early, and waits for its two seconds.
    this.#clientId = (await this.#line.call(['CLIENT', 'ID'], DEADLINE).catch(() => 0)) as number;
  }

  close(): void {
    this.#line.close();
  }
}
