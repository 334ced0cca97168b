/**
 * One connection for its one life: never reconnects, never sends anything again. Decides nothing.
 *
 * The only file that imports ioredis. Its own reconnecting, queueing and resending are off: it cannot know what may be
 * sent twice.
 */

import { Redis, type RedisOptions } from 'ioredis';
import type { Arg } from '../commands/index.js';
import { LinkLost, lost, Refusal } from './faults.js';

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
  #open = true;
  #pending = 0;
  #corked = false;
  #why: LinkLost | undefined;
  #onDrained: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  private constructor(redis: Redis, patience: number) {
    this.#redis = redis;
    this.#patience = patience;
    redis.on('error', (error: Error) => {
      this.#why ??= lost(error);
    });
    redis.on('end', () => this.#ended());
    redis.on('messageBuffer', (channel: Buffer, payload: Buffer) => this.onMessage(channel, payload));
  }

  /**
   * Connects, logs in and selects the database. patience: seconds of silence, while something is asked, after which it
   * is given up. Throws LinkLost, or the Refusal of the login or the database.
   */
  static async open(options: RedisOptions, patience: number): Promise<Link> {
    const timeout = Math.min(options.connectTimeout ?? Number.POSITIVE_INFINITY, CONNECT_TIMEOUT * 1000);
    const link = new Link(new Redis({ ...options, ...FIXED, connectTimeout: timeout }), patience);
    try {
      await link.#redis.connect();
      link.#socket?.unref();
      await Promise.all(greeting(options).map((words) => link.call(words, CONNECT_TIMEOUT)));
    } catch (error) {
      link.close();
      throw error instanceof Refusal ? error : (link.#why ?? lost(error));
    }
    return link;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** How many commands wait for their replies. */
  get pending(): number {
    return this.#pending;
  }

  /** The reply of one command. All of one turn of the event loop go in one write. Throws Refusal or LinkLost. */
  call(words: readonly Arg[], patience = this.#patience): Promise<unknown> {
    if (!this.#open) return Promise.reject(this.#why ?? new LinkLost('the connection is closed'));
    this.#cork();
    this.#asked(patience);
    const [name, ...args] = words as [string, ...Arg[]];
    return this.#redis.callBuffer(name, args).then(this.#answered, this.#failed);
  }

  /** Settles when no message on this channel can be missed any more. Throws Refusal or LinkLost. */
  subscribe(...channels: string[]): Promise<unknown> {
    if (!this.#open) return Promise.reject(this.#why ?? new LinkLost('the connection is closed'));
    this.#asked(CONNECT_TIMEOUT);
    return this.#redis.subscribe(...channels).then(this.#answered, this.#failed);
  }

  /** Asks for no more messages of this channel; some may still be under way. */
  unsubscribe(channel: string): void {
    if (this.#open) this.#redis.unsubscribe(channel).catch(() => {});
  }

  /** Settles when every command has its reply, or has none to come. */
  drained(): Promise<void> {
    return this.#pending === 0 || !this.#open
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#onDrained.push(resolve);
        });
  }

  close(): void {
    this.#why ??= new LinkLost('the connection was closed here');
    this.#redis.disconnect();
  }

  // ioredis writes each command at once; held back until the turn ends, they are one system call.
  #cork(): void {
    const socket = this.#socket;
    if (this.#corked || socket === undefined) return;
    this.#corked = true;
    socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      socket.uncork();
    });
  }

  get #socket(): import('node:net').Socket | undefined {
    return this.#redis.stream as import('node:net').Socket | undefined;
  }

  // A connection on which nothing is asked does not keep the process alive.
  #asked(patience: number): void {
    if (this.#pending++ > 0) return;
    this.#socket?.ref();
    clearTimeout(this.#timer);
    if (patience < Number.POSITIVE_INFINITY) this.#timer = setTimeout(this.#silent, patience * 1000, patience);
  }

  readonly #silent = (patience: number): void => {
    this.#why ??= new LinkLost(`no answer within ${patience} s`, false);
    this.#redis.disconnect();
  };

  #heard(): void {
    this.heardAt = performance.now();
    if (--this.#pending > 0) {
      this.#timer?.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#socket?.unref();
    for (const settle of this.#onDrained.splice(0)) settle();
  }

  readonly #answered = (reply: unknown): unknown => {
    this.#heard();
    return reply;
  };

  readonly #failed = (error: Error): never => {
    if (isReply(error)) {
      this.#heard();
      throw new Refusal(error.message);
    }
    throw this.#why ?? lost(error);
  };

  #ended(): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#timer);
    this.#why ??= new LinkLost('the server closed the connection');
    for (const settle of this.#onDrained.splice(0)) settle();
    this.onClose(this.#why);
  }
}

function greeting({ username, password, db }: RedisOptions): Arg[][] {
  const words: Arg[][] = [];
  if (password || username) words.push(username ? ['AUTH', username, password ?? ''] : ['AUTH', password ?? '']);
  if (db) words.push(['SELECT', db]);
  return words;
}

function isReply(error: Error): boolean {
  return 'command' in error && error.name !== 'AbortError';
}
