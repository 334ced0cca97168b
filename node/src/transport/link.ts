/**
 * One connection for its one life: never reconnects, never sends anything again. Decides nothing.
 *
 * This and socket.ts are the only files that import ioredis. Its own reconnecting, queueing and resending are off: it
 * cannot know what may be sent twice.
 */

import { Redis, type RedisOptions } from 'ioredis';
import type { Arg } from '../commands/index.js';
import { LinkLost, lost, Refusal } from './faults.js';
import { encode, Reader } from './resp.js';
import { connectorTo } from './socket.js';

export type { RedisOptions };

/** Seconds until a connection must be made. */
export const CONNECT_TIMEOUT = 5;

// RESP3 is the default of ioredis 6, which servers before 6 and some proxies refuse. The login and the database are
// set by open(), because ioredis goes on in database 0 when it may not select another.
const FIXED = {
  protocol: 2,
  replyMapping: 'legacy',
  lazyConnect: true,
  enableReadyCheck: false,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  retryStrategy: null,
  sentinels: undefined,
  reconnectOnError: null,
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  disableClientInfo: true,
  readOnly: false,
  stringNumbers: false,
  monitor: false,
  db: 0,
  keyPrefix: '',
  username: undefined,
  password: undefined,
  connectionName: undefined,
  commandTimeout: undefined,
  socketTimeout: undefined,
  blockingTimeout: undefined,
  scripts: undefined,
} satisfies RedisOptions & Record<string, unknown>;

const MANY = 10_000;

interface Due {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** A connection. Replies are Buffers, numbers, null and arrays of these. */
export class Link {
  /** Called once when it is gone, also by close(). */
  onClose: (why: LinkLost) => void = () => {};
  /** Called for each message of a subscribed channel. */
  onMessage: (channel: Buffer, payload: Buffer) => void = () => {};
  /** When something was last heard on it: ms of performance.now(). */
  heardAt = performance.now();
  readonly #redis: Redis;
  readonly #patience: number;
  readonly #reader = new Reader((reply) => this.#heard(reply));
  readonly #due: Due[] = [];
  #first = 0;
  #open = true;
  #hearsMessages = false;
  // What is written when this turn of the event loop ends; texts that stand side by side are one.
  #out: (string | Buffer)[] = [];
  #why: LinkLost | undefined;
  #onDrained: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  // Since when, and for how many ms at most, silence is borne; and for how many the timer was set.
  #since = 0;
  #limit = 0;
  #armed = 0;

  private constructor(redis: Redis, patience: number) {
    this.#redis = redis;
    this.#patience = patience;
    redis.on('error', (error: Error) => {
      this.#why ??= lost(error);
    });
    redis.on('end', () => this.#ended());
  }

  /**
   * Connects, logs in and selects the database. patience: seconds of silence, while something is asked, after which it
   * is given up. Throws LinkLost, or the Refusal of the login or the database.
   */
  static async open(options: RedisOptions, patience: number): Promise<Link> {
    const timeout = Math.min(options.connectTimeout ?? Number.POSITIVE_INFINITY, CONNECT_TIMEOUT * 1000);
    let link: Link;
    const Connector = connectorTo(options, (piece) => link.#read(piece));
    link = new Link(new Redis({ ...options, ...FIXED, Connector, connectTimeout: timeout }), patience);
    try {
      await link.#redis.connect();
      link.#takeOver(Connector === undefined);
      await Promise.all(greeting(options).map((words) => link.call(words, CONNECT_TIMEOUT)));
      link.#introduce(options.connectionName);
    } catch (error) {
      link.close();
      throw error instanceof Refusal ? error : (link.#why ?? lost(error));
    }
    return link;
  }

  // For who reads CLIENT LIST. Who may not say its name is served all the same.
  #introduce(name: string | undefined): void {
    if (name) this.call(['CLIENT', 'SETNAME', name], CONNECT_TIMEOUT).catch(() => {});
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** How many commands wait for their replies. */
  get pending(): number {
    return this.#due.length - this.#first;
  }

  /** The reply of one command. All of one turn of the event loop go in one write. Throws Refusal or LinkLost. */
  call(words: readonly Arg[], patience = this.#patience): Promise<unknown> {
    if (!this.#open) return Promise.reject(this.#why ?? new LinkLost('the connection is closed'));
    return new Promise((resolve, reject) => {
      this.#write(encode(words));
      this.#asked(patience);
      this.#due.push({ resolve, reject });
    });
  }

  /** Settles when no message on this channel can be missed any more. Throws Refusal or LinkLost. */
  subscribe(...channels: string[]): Promise<unknown> {
    this.#hearsMessages = true;
    return Promise.all(channels.map((channel) => this.call(['SUBSCRIBE', channel], CONNECT_TIMEOUT)));
  }

  /** Asks for no more messages of this channel; some may still be under way. */
  unsubscribe(channel: string): void {
    if (this.#open) this.#write(encode(['UNSUBSCRIBE', channel]));
  }

  /** Settles when every command has its reply, or has none to come. */
  drained(): Promise<void> {
    return this.pending === 0 || !this.#open
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#onDrained.push(resolve);
        });
  }

  close(): void {
    this.#why ??= new LinkLost('the connection was closed here');
    this.#redis.disconnect();
  }

  // ioredis has connected; from here on its queues and its parser are not needed, and cost more than the socket does.
  #takeOver(byStream: boolean): void {
    const socket = this.#socket;
    if (socket === undefined) throw new LinkLost('the server closed the connection');
    socket.removeAllListeners('data');
    if (byStream) socket.on('data', this.#read);
    socket.resume();
    socket.unref();
  }

  readonly #read = (piece: Buffer): void => {
    try {
      this.#reader.feed(piece);
    } catch (error) {
      this.#why ??= lost(error);
      this.#redis.disconnect();
    }
  };

  #write(words: string | Buffer): void {
    const out = this.#out;
    if (out.length === 0) process.nextTick(this.#flush);
    const last = out.length - 1;
    if (typeof words === 'string' && typeof out[last] === 'string') out[last] += words;
    else out.push(words);
  }

  readonly #flush = (): void => {
    const out = this.#out;
    this.#out = [];
    const socket = this.#socket;
    if (socket === undefined || !this.#open) return;
    if (out.length > 1) socket.cork();
    for (const part of out) socket.write(part);
    if (out.length > 1) socket.uncork();
  };

  get #socket(): import('node:net').Socket | undefined {
    return this.#redis.stream as import('node:net').Socket | undefined;
  }

  // A connection on which nothing is asked does not keep the process alive.
  #asked(patience: number): void {
    if (this.pending > 0) return;
    this.#socket?.ref();
    this.#since = performance.now();
    this.#limit = patience * 1000;
    if (this.#timer !== undefined && this.#limit >= this.#armed) return;
    clearTimeout(this.#timer);
    this.#watch(this.#limit);
  }

  // One timer for many commands, set anew only when it has gone off: to set and clear one for each costs more than the
  // command does.
  #watch(ms: number): void {
    this.#armed = ms;
    this.#timer = ms < Number.POSITIVE_INFINITY ? setTimeout(this.#judge, ms).unref() : undefined;
  }

  readonly #judge = (): void => {
    this.#timer = undefined;
    if (this.pending === 0) return;
    const left = this.#limit - (performance.now() - this.#since);
    if (left > 0) {
      this.#watch(left);
      return;
    }
    this.#why ??= new LinkLost(`no answer within ${this.#limit / 1000} s`, false);
    this.#redis.disconnect();
  };

  #heard(reply: unknown): void {
    this.heardAt = performance.now();
    this.#since = this.heardAt;
    if (this.#hearsMessages && Array.isArray(reply)) {
      const kind = String(reply[0]);
      if (kind === 'message') this.onMessage(reply[1], reply[2]);
      if (kind === 'message' || kind === 'unsubscribe') return;
    }
    const due = this.#due[this.#first];
    if (due === undefined) return;
    this.#first += 1;
    if (this.#first === this.#due.length) this.#quiet();
    else if (this.#first === MANY) {
      // A pipeline that never runs dry must not keep what was answered.
      this.#due.splice(0, MANY);
      this.#first = 0;
    }
    if (reply instanceof Refusal) due.reject(reply);
    else due.resolve(reply);
  }

  #quiet(): void {
    this.#due.length = 0;
    this.#first = 0;
    this.#socket?.unref();
    for (const settle of this.#onDrained.splice(0)) settle();
  }

  #ended(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#why ??= new LinkLost('the server closed the connection');
    clearTimeout(this.#timer);
    const due = this.#due.slice(this.#first);
    this.#quiet();
    for (const { reject } of due) reject(this.#why);
    this.onClose(this.#why);
  }
}

function greeting({ username, password, db }: RedisOptions): Arg[][] {
  const words: Arg[][] = [];
  if (password || username) words.push(username ? ['AUTH', username, password ?? ''] : ['AUTH', password ?? '']);
  if (db) words.push(['SELECT', db]);
  return words;
}
