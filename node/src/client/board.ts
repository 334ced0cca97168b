/**
 * Who waits for which task, and what a message means for them. Waits for nothing, sends nothing.
 *
 * A message is a hint and may be lost; so a ticket is also due after every gap, and whoever waits looks at the hash
 * every few seconds whatever happens.
 */

import { randomBytes } from 'node:crypto';
import type { Keys } from '../values/keys.js';

/** How many tasks in a row name our channel although nobody waits: what Redis must keep for us has a bound. */
const UNHEARD = 1000;
const NEWLINE = 0x0a;

/** One that waits for the task whose key this is. */
export class Ticket {
  /** A look at the hash is due. */
  due = false;
  /** The result as JSON, where the message of its end carried it. */
  told: Buffer | undefined;
  /** Its message comes on `results` only. */
  everyones = false;
  /** Wakes whoever waits with this ticket. */
  ring: () => void = () => {};

  /** key: one character for each byte. */
  constructor(readonly key: string) {}
}

/** The tickets of one listener, and what it hears: its own reply channel always, `results` while somebody must. */
export class Board {
  readonly channel: string;
  /**
   * Grows with every message and after every gap. A task that was submitted with our channel as its reply-to has not
   * ended unheard as long as the epoch has not changed.
   */
  epoch = 0;
  readonly #results: Buffer;
  readonly #tickets = new Map<string, Set<Ticket>>();
  #everyones = 0;
  #hearsResults = false;
  #unheard = 0;

  constructor(keys: Keys) {
    this.channel = keys.reply(randomBytes(4).toString('hex'));
    this.#results = Buffer.from(keys.results);
  }

  /** Does anybody wait? */
  get isEmpty(): boolean {
    return this.#tickets.size === 0;
  }

  /** The epoch, if a task that is about to be submitted should name our channel. */
  invite(): number | undefined {
    if (this.#unheard >= UNHEARD) return undefined;
    this.#unheard += 1;
    return this.epoch;
  }

  /** Somebody waits here, so tasks may name our channel again. */
  attend(): void {
    this.#unheard = 0;
  }

  /** Begins to wait. epoch: of the invitation, undefined without. Is `results` to be subscribed now? */
  enter(ticket: Ticket, epoch: number | undefined): boolean {
    const same = this.#tickets.get(ticket.key);
    if (same === undefined) this.#tickets.set(ticket.key, new Set([ticket]));
    else same.add(ticket);
    if (epoch !== undefined) {
      ticket.due = epoch !== this.epoch;
      return false;
    }
    ticket.everyones = true;
    ticket.due = this.#hearsResults;
    this.#everyones += 1;
    return this.#everyones === 1;
  }

  /** Ends a wait. Is `results` to be unsubscribed now? */
  leave(ticket: Ticket): boolean {
    const same = this.#tickets.get(ticket.key);
    same?.delete(ticket);
    if (same?.size === 0) this.#tickets.delete(ticket.key);
    if (!ticket.everyones) return false;
    this.#everyones -= 1;
    if (this.#everyones === 0) this.#hearsResults = false;
    return this.#everyones === 0;
  }

  /** Takes in one message. */
  hear(channel: Buffer, payload: Buffer): void {
    this.epoch += 1;
    // A reply channel says more than the key: what stands behind the last newline is a result, or nothing.
    const end = channel.equals(this.#results) ? -1 : payload.lastIndexOf(NEWLINE);
    const key = end < 0 ? payload : payload.subarray(0, end);
    const told = end < 0 ? undefined : payload.subarray(end + 1);
    this.#wake(this.#tickets.get(key.toString('latin1')) ?? [], told);
  }

  /** The subscription is whole from now on, and messages may have been missed before. */
  gap(): void {
    this.epoch += 1;
    this.#hearsResults = this.#everyones > 0;
    for (const same of this.#tickets.values()) this.#wake(same);
  }

  #wake(some: Iterable<Ticket>, told?: Buffer): void {
    for (const ticket of some) {
      ticket.due = true;
      ticket.told = told?.length ? told : undefined;
      ticket.ring();
    }
  }
}
