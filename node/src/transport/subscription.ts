/** Messages of some channels, on a connection of its own that mends itself. A message is a hint: gaps are told. */

import { explain } from './explain.js';
import { LinkLost } from './faults.js';
import type { Link } from './link.js';
import type { Route } from './route.js';

const PING_EVERY = 10;
const PATIENCE = 5;

/** What a subscription tells. */
export interface Listening {
  onMessage(channel: Buffer, payload: Buffer): void;
  /** All channels are heard from now on; before, messages may have been missed. Called after each reconnect. */
  onOpen?(): void;
  /** Messages may be missed from now on, until onOpen. */
  onGap?(): void;
}

/** Made by Transport.subscribe(). It does not keep the process alive. */
export class Subscription {
  readonly #route: Route;
  readonly #hooks: Listening;
  readonly #channels: Set<string>;
  readonly #onClosed: (one: Subscription) => void;
  #link: Link | undefined;
  #opening: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(route: Route, channels: readonly string[], hooks: Listening, onClosed: (one: Subscription) => void) {
    this.#route = route;
    this.#hooks = hooks;
    this.#channels = new Set(channels);
    this.#onClosed = onClosed;
  }

  /** Are all its channels heard now? */
  get isOpen(): boolean {
    return this.#link?.isOpen ?? false;
  }

  /** Connects, if it is not: when this settles no later message is missed. Throws ServerError. */
  async open(): Promise<void> {
    if (this.isOpen) return;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    try {
      await this.#opening;
    } catch (error) {
      throw explain(error, this.#route.target);
    }
  }

  /** Hears one more channel: when this settles no later message on it is missed. Throws ServerError. */
  async add(channel: string): Promise<void> {
    this.#channels.add(channel);
    const link = this.#link;
    if (!link?.isOpen) return this.open();
    try {
      await link.subscribe(channel);
    } catch (error) {
      throw explain(error, this.#route.target);
    }
  }

  /** Asks for no more messages of a channel; some may still come. */
  drop(channel: string): void {
    this.#channels.delete(channel);
    this.#link?.unsubscribe(channel);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#link?.close();
    this.#onClosed(this);
  }

  async #open(): Promise<void> {
    const link = await this.#route.open(PATIENCE).catch((error) => {
      this.#route.follow(error);
      throw error;
    });
    link.onMessage = (channel, payload) => this.#hooks.onMessage(channel, payload);
    const asked = [...this.#channels];
    try {
      if (asked.length > 0) await link.subscribe(...asked);
      // Those that were added while it asked.
      await Promise.all([...this.#channels].slice(asked.length).map((channel) => link.subscribe(channel)));
      if (this.#closed) throw new LinkLost('the subscription was closed here');
    } catch (error) {
      link.close();
      throw error;
    }
    this.#link = link;
    link.onClose = (why) => this.#lost(why);
    this.#listen(link);
    this.#hooks.onOpen?.();
  }

  // A connection can die without a word, and nobody asks anything on this one.
  #listen(link: Link): void {
    this.#timer = setTimeout(() => {
      link.call(['PING']).then(
        () => this.#listen(link),
        () => link.close(),
      );
    }, PING_EVERY * 1000).unref();
  }

  #lost(why: LinkLost): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#route.follow(why);
    this.#hooks.onGap?.();
    this.#mend(1);
  }

  #mend(attempt: number): void {
    this.#timer = setTimeout(
      () => {
        if (this.isOpen || this.#closed) return;
        this.open().catch(() => this.#mend(attempt + 1));
      },
      Math.min(0.05 * 2 ** (attempt - 1), 1) * 1000,
    ).unref();
  }
}
