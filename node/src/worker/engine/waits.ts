/**
 * The idle wait of one queue: a BLMOVE on a connection of its own, and a claim right behind it, which the server runs in
 * the same step. Hands on what the claim took.
 *
 * The reply may be lost with the connection. What BLMOVE has moved is in `arrived`, where every claim looks first; and the
 * claim is asked again elsewhere, for the same request answers the same tasks.
 */

import type { Call, ClaimReply } from '../../commands/index.js';
import type { Line, Transport } from '../../transport/index.js';
import type { Keys } from '../../values/keys.js';
import type { Log } from './log.js';

const BLOCK = 2; // seconds of one BLMOVE: a dead client is not served for longer (half-open TCP)
const DEADLINE = BLOCK + 8; // then the connection counts as gone
const PAUSE = 1000; // ms after an error

/** What a wait needs, and tells. */
export interface Waiting {
  /** Asks a claim again whose reply was lost; undefined if it is refused. */
  repeat(call: Call<ClaimReply>): Promise<ClaimReply | undefined>;
  /** What the claim has answered, if it was answered. */
  onReply(reply: ClaimReply | undefined): void;
}

/** The wait of one queue. */
export class Wait {
  /** Is its command under way? Then its reply may bring an id. */
  armed = false;
  /** What the claims begin with that are on their way. */
  mark = '';
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
    private readonly log: Log,
  ) {
    this.#line = transport.line();
    this.#command = ['BLMOVE', keys.pending(queue), keys.arrived(queue), 'RIGHT', 'LEFT', BLOCK];
  }

  /** May it begin to wait now? */
  isReady(now: number): boolean {
    return !this.armed && now >= this.#notBefore;
  }

  /** Begins to wait, with this claim behind. */
  arm(call: Call<ClaimReply>, mark: string, hooks: Waiting): void {
    this.mark = mark;
    this.#wanted = true;
    this.armed = true;
    this.#unblocking = false;
    void this.#wait(call, hooks);
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

  async #wait(call: Call<ClaimReply>, hooks: Waiting): Promise<void> {
    let reply: ClaimReply | undefined;
    try {
      if (!this.#line.isOpen) await this.#greet();
      if (this.#wanted) reply = await this.#line.callBehind(this.#command, call, DEADLINE);
    } catch (error) {
      // A text that the server has forgotten is sent by the repetition.
      if (!/^NOSCRIPT/.test((error as Error).message)) this.#notBefore = performance.now() + PAUSE;
      this.log('debug', `waiting on queue ${this.queue}: ${(error as Error).message}`);
      reply = await hooks.repeat(call);
    }
    this.armed = false;
    hooks.onReply(reply);
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
