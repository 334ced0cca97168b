/** A connection of its own for one blocking command at a time. Sends nothing twice. */

import type { Arg, Call } from '../commands/index.js';
import { explain } from './explain.js';
import { LinkLost } from './faults.js';
import { CONNECT_TIMEOUT, type Link } from './link.js';
import type { Route } from './route.js';
import { byHash } from './scripts.js';

/** Reconnects when it is next asked. Made by Transport.line(). */
export class Line {
  #link: Link | undefined;
  #closed = false;

  constructor(
    private readonly route: Route,
    private readonly onClosed: (line: Line) => void,
  ) {}

  get isOpen(): boolean {
    return this.#link?.isOpen ?? false;
  }

  /** Makes the connection, if there is none. Throws ServerError. */
  async open(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      throw explain(error, this.route.target);
    }
  }

  /**
   * The reply of one command that may block. patience: seconds after which a connection without an answer is given up,
   * more than the command itself blocks. Throws ServerError; what the command did may then have happened or not.
   */
  async call(words: readonly Arg[], patience: number): Promise<unknown> {
    try {
      const link = await this.#open();
      return await link.call(words, patience);
    } catch (error) {
      throw explain(error, this.route.target);
    }
  }

  /**
   * The reply to a call that is sent right behind a command that may block: the server runs it in the same step in which
   * the block ends. Throws as call() does, also for a script that the server lacks, or if the command itself is refused.
   */
  async callBehind<T>(words: readonly Arg[], call: Call<T>, patience: number): Promise<T> {
    try {
      const link = await this.#open();
      const blocked = link.call(words, patience);
      const answered = link.call(byHash(call), patience);
      answered.catch(() => {}); // heard below, if the command was not refused
      await blocked;
      return call.read(await answered);
    } catch (error) {
      throw explain(error, this.route.target);
    }
  }

  /** Ends it now; a command that waits is given up. */
  close(): void {
    this.#closed = true;
    this.#link?.close();
    this.onClosed(this);
  }

  async #open(): Promise<Link> {
    if (this.#link?.isOpen) return this.#link;
    try {
      this.#link = await this.route.open(CONNECT_TIMEOUT);
    } catch (error) {
      this.route.follow(error);
      throw error;
    }
    if (this.#closed) {
      this.#link.close();
      throw new LinkLost('the connection was closed here');
    }
    return this.#link;
  }
}
