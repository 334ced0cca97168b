/**
 * Sends calls and commands to the server of one app, and reconnects. The face of this room to all above it.
 *
 * A script may be sent twice, so a call whose reply was lost is sent again; a plain command only where its caller says
 * that it may be.
 */

import type { Arg, Call } from '../commands/index.js';
import { ServerUnavailable } from '../errors.js';
import { explain, judgeServer } from './explain.js';
import { LinkLost, Refusal } from './faults.js';
import { Line } from './line.js';
import type { Link } from './link.js';
import { Pauses } from './pauses.js';
import { type Route, routeTo } from './route.js';
import { Scripts } from './scripts.js';
import { type Listening, Subscription } from './subscription.js';
import { type RedisSource, targetOf } from './target.js';
import { backOff, isPassing, Tries } from './tries.js';

/**
 * name: what CLIENT LIST shows, where the source has no name of its own. timeout: seconds without any answer until a
 * command is given up, 10 if absent. forever: never give up what passes, and send again in the order of asking.
 */
export interface TransportOptions {
  readonly prefix: string;
  readonly name?: string | undefined;
  readonly timeout?: number | undefined;
  readonly forever?: boolean | undefined;
}

/** repeat: this may be sent twice, if the first reply was lost. */
export interface CommandOptions {
  readonly repeat?: boolean | undefined;
}

type Words = readonly Arg[];

/**
 * One app's server over one connection. All that is sent in one turn of the event loop goes in one write.
 *
 * Every method throws a ServerError when Redis refuses or is away. Texts go as UTF-8; replies are Buffers, numbers,
 * null and arrays of these. An idle one does not keep the process alive.
 */
export class Transport {
  readonly #route: Route;
  readonly #timeout: number;
  readonly #forever: boolean;
  readonly #scripts = new Scripts();
  readonly #pauses = new Pauses();
  // How often in a row nothing was answered until the next pause.
  #fruitless = 0;
  readonly #children = new Set<Line | Subscription>();
  #link: Link | undefined;
  #opening: Promise<Link> | undefined;
  #heardAt = performance.now();
  #closed = false;

  /** Connects when something is first sent. Throws ConfigurationError for a source or a prefix that will not do. */
  constructor(source: RedisSource, { prefix, name, timeout = 10, forever = false }: TransportOptions) {
    const target = targetOf(source);
    this.#route = routeTo({ ...target, node: { connectionName: name, ...target.node } }, prefix);
    this.#timeout = timeout;
    this.#forever = forever;
  }

  /** How this server is called in messages: its URL without passwords. */
  get shown(): string {
    return this.#route.target.shown;
  }

  /** When the server's host last gave a sign of life (an answer, a refusal, a reset): ms of performance.now(). */
  get heardAt(): number {
    return Math.max(this.#heardAt, this.#link?.heardAt ?? 0);
  }

  /** Runs one transition and returns its reply, read. */
  async send<T>(call: Call<T>): Promise<T> {
    const reply = await this.#persist((link) => this.#scripts.run(link, call), true);
    return call.read(reply);
  }

  /** Runs several in one round trip. Throws the first refusal; the others have run all the same. */
  sendAll<T extends readonly Call<unknown>[]>(calls: T): Promise<{ -readonly [I in keyof T]: ReplyOf<T[I]> }> {
    return whole(calls.map((call) => this.send(call))) as Promise<{ -readonly [I in keyof T]: ReplyOf<T[I]> }>;
  }

  /** Some fields of a hash, null where there is none. */
  fields(key: Arg, names: readonly string[]): Promise<(Buffer | null)[]> {
    return this.command(['HMGET', key, ...names], { repeat: true }) as Promise<(Buffer | null)[]>;
  }

  /** Runs one plain command. */
  command(words: Words, { repeat = false }: CommandOptions = {}): Promise<unknown> {
    return this.#persist((link) => link.call(words), repeat);
  }

  /** Runs plain commands in one round trip and in this order. Throws the first refusal; the others have run. */
  pipeline(commands: readonly Words[], { repeat = false }: CommandOptions = {}): Promise<unknown[]> {
    return this.#persist((link) => whole(commands.map((words) => link.call(words))), repeat);
  }

  /** A connection of its own for commands that block. */
  line(): Line {
    return this.#child(new Line(this.#route, (line) => this.#children.delete(line)));
  }

  /** A subscription on a connection of its own, which mends itself. */
  subscribe(channels: readonly string[], hooks: Listening): Subscription {
    return this.#child(new Subscription(this.#route, channels, hooks, (one) => this.#children.delete(one)));
  }

  /** Throws ServerUnavailable or ServerUnsuitable if this server will not do. Who may not INFO is let through. */
  async check(prefix: string): Promise<void> {
    const info = await this.#persist((link) => link.call(['INFO']).catch(unlessForbidden), true);
    judgeServer(String(info), this.#route.target, prefix);
  }

  /** Waits for the replies that are due, then closes all its connections. What is sent later is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const child of [...this.#children]) child.close();
    await this.#opening?.catch(() => {});
    await this.#link?.drained();
    this.#link?.close();
  }

  #child<C extends Line | Subscription>(child: C): C {
    this.#children.add(child);
    return child;
  }

  // Does it again after what passes. The first try costs no more than the command.
  async #persist<T>(work: (link: Link) => Promise<T>, repeat: boolean): Promise<T> {
    let tries: Tries | undefined;
    if (this.#forever && this.#pauses.over !== undefined) await this.#pauses.over;
    for (;;) {
      let link: Link | undefined;
      try {
        link = this.#link?.isOpen && !this.#closed ? this.#link : await this.#open();
        const reply = await work(link);
        this.#fruitless = 0;
        return reply;
      } catch (error) {
        const useful = this.#leave(link, error);
        tries ??= new Tries(this.#forever);
        const sent = link !== undefined && !repeat && !isPassing(error);
        const pause = sent || this.#closed ? undefined : tries.pause(error, this.#route.moves, useful);
        if (pause === undefined) throw explain(error, this.#route.target);
        await this.#putOff(pause);
      }
    }
  }

  // One that never gives up tries again at once where the last connection brought an answer, and keeps the order.
  #putOff(seconds: number): Promise<void> {
    if (!this.#forever) return new Pauses().wait(seconds);
    if (this.#pauses.over === undefined) this.#fruitless += 1;
    return this.#pauses.wait(this.#fruitless === 1 ? 0 : backOff(this.#fruitless - 1));
  }

  // The node is away, or another serves now: the next command looks for it. Of many that fail, the first does this.
  #leave(link: Link | undefined, error: unknown): boolean {
    if (!(error instanceof LinkLost || isPassing(error))) return true;
    if (link === undefined || link !== this.#link) return true;
    this.#heardAt = this.heardAt;
    this.#link = undefined;
    link.close();
    this.#note(error);
    return this.#route.follow(error);
  }

  #open(): Promise<Link> {
    if (this.#closed)
      return Promise.reject(new ServerUnavailable(`this client of ${this.shown} is closed; make another`));
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #connect(): Promise<Link> {
    try {
      const link = await this.#route.open(this.#timeout);
      this.#link = link;
      this.#heardAt = link.heardAt;
      return link;
    } catch (error) {
      this.#note(error);
      this.#route.follow(error);
      throw error;
    }
  }

  #note(error: unknown): void {
    const { answered = true } = error as { answered?: boolean };
    if (answered) this.#heardAt = performance.now();
  }
}

type ReplyOf<C> = C extends Call<infer T> ? T : never;

// All of them have ended when this does; Promise.all alone would leave what comes after the first failure unheard.
async function whole<T>(promises: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function unlessForbidden(error: unknown): string {
  if (error instanceof Refusal && error.is('NOPERM')) return '';
  throw error;
}
