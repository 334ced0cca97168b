/** Hears of the ends of tasks for all that wait in this client, on one connection. Reads no hash. */

import type { Subscription, Transport } from '../transport/index.js';
import type { Keys } from '../values/keys.js';
import { Board, type Ticket } from './board.js';
import type { Sleeper } from './sleeper.js';

/** What one client hears of its tasks. It connects when somebody first waits, and stays connected. */
export class Listener {
  readonly #transport: Transport;
  readonly #keys: Keys;
  readonly #board: Board;
  #subscription: Subscription | undefined;

  constructor(transport: Transport, keys: Keys) {
    this.#transport = transport;
    this.#keys = keys;
    this.#board = new Board(keys);
  }

  /** The reply channel of this client. */
  get channel(): string {
    return this.#board.channel;
  }

  /** Called before a submit: the epoch if the task should name our channel as its reply-to. */
  invite(): number | undefined {
    return this.#subscription?.isOpen ? this.#board.invite() : undefined;
  }

  /** Called when a wait begins. */
  attend(): void {
    this.#board.attend();
  }

  /** Begins to listen for a task. epoch: what invite() said, undefined for a task that does not name our channel. */
  enter(ticket: Ticket, epoch: number | undefined): void {
    if (!this.#board.enter(ticket, epoch)) return;
    // What ended before it is subscribed was not heard. A failure is met again by whoever waits.
    this.#subscribed()
      .add(this.#keys.results)
      .then(
        () => this.#board.gap(),
        () => {},
      );
  }

  leave(ticket: Ticket): void {
    if (this.#board.leave(ticket)) this.#subscription?.drop(this.#keys.results);
  }

  /** Waits until a look at the hash is due, at most so many seconds; whether it is. Throws ServerError. */
  async wait(ticket: Ticket, sleeper: Sleeper, seconds: number): Promise<boolean> {
    const until = performance.now() + seconds * 1000;
    const subscription = this.#subscribed();
    if (!ticket.due && !subscription.isOpen) await sleeper.during(subscription.open(), seconds);
    const left = until - performance.now();
    if (!ticket.due && left > 0) await sleeper.sleep(left / 1000);
    const { due } = ticket;
    ticket.due = false;
    return due;
  }

  /** An end was not heard of: the connection may be dead without a word, so the next wait makes another. */
  distrust(): void {
    if (this.#board.isEmpty) this.close();
  }

  close(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  #subscribed(): Subscription {
    this.#subscription ??= this.#transport.subscribe([this.#board.channel], {
      onMessage: (channel, payload) => this.#board.hear(channel, payload),
      onOpen: () => this.#board.gap(),
    });
    return this.#subscription;
  }
}
