/** One application: its settings, and how tasks are enqueued. Connects when first needed; runs nothing. */

import { BadArguments, ConfigurationError, IdConflict } from '../errors.js';
import type { RedisSource } from '../transport/index.js';
import { encodeArgs } from '../values/codec.js';
import { Keys } from '../values/keys.js';
import { checkId, checkQueue } from '../values/names.js';
import { Handle } from './handle.js';
import type { TaskInfo } from './info.js';
import { type Job, newId } from './job.js';
import { type EnqueueOptions, spell, type TaskOptions } from './options.js';
import * as plans from './plans.js';
import { Side } from './side.js';
import { fault } from './submission.js';
import type { AnyFunctions, CallOf, NameIn, ReturnOf } from './typing.js';

/** What `new Doshit(...)` takes. */
export interface ClientOptions {
  /** A URL, options of ioredis, or a ready client of ioredis or node-redis, whose settings are taken. */
  readonly redis?: RedisSource | undefined;
  /** What every key of this app begins with, without the colon. */
  readonly prefix?: string | undefined;
  /** The queue of tasks that name none. */
  readonly queue?: string | undefined;
  /** Check arguments by what live workers say of their functions, before anything is pushed: true if absent. */
  readonly check?: boolean | undefined;
}

/** A call that is checked and ready for enqueueMany. R: what its function returns. */
export interface ReadyJob<out R = unknown> extends Job {
  readonly returns?: R;
}

/**
 * An application: a prefix on a Redis server.
 *
 * `redis`: by default DOSHIT_REDIS, else REDIS_URL, else redis://localhost:6379/0; `prefix`: DOSHIT_APP_PREFIX, else
 * "doshit"; `queue`: DOSHIT_QUEUE, else "default". F: the functions that may be called, as `doshit types --ts` writes
 * them. It does not keep the process alive, but a wait does. Throws ConfigurationError for settings that cannot be.
 */
export class Client<F extends object = AnyFunctions> {
  readonly redis: RedisSource;
  readonly keys: Keys;
  readonly queue: string;
  readonly #checks: boolean;
  #side: Side | undefined;

  constructor(options: ClientOptions = {}) {
    if (typeof options !== 'object' || options === null) {
      throw new ConfigurationError(`new Doshit(${String(options)}): give an object, such as { redis: 'redis://...' }`);
    }
    const { redis, prefix, queue, check = true } = options;
    if (redis !== undefined && typeof redis !== 'string' && typeof redis !== 'object') {
      throw new ConfigurationError(
        `new Doshit({ redis: ${String(redis)} }): give a URL, or a client of ioredis or node-redis`,
      );
    }
    const { DOSHIT_REDIS, REDIS_URL, DOSHIT_APP_PREFIX, DOSHIT_QUEUE } = process.env;
    this.redis = redis ?? (DOSHIT_REDIS || REDIS_URL || 'redis://localhost:6379/0');
    this.keys = new Keys(prefix ?? (DOSHIT_APP_PREFIX || 'doshit'));
    this.queue = checkQueue(queue ?? (DOSHIT_QUEUE || 'default'));
    this.#checks = check;
  }

  /** What every key of this app begins with, without the colon. */
  get prefix(): string {
    return this.keys.prefix;
  }

  /** The connections of this client; made when first asked for. */
  get side(): Side {
    this.#side ??= new Side(this.redis, this.keys);
    return this.#side;
  }

  /**
   * Submits a call by the function's name, whose code need not be here, and returns its handle once Redis has it.
   *
   * `args`: one member for each parameter, anything that JSON can carry. Calls of one turn of the event loop are sent
   * in one write. Throws BadArguments, IdConflict, ConfigurationError, ServerError, and the reason of `signal`.
   */
  async enqueue<N extends NameIn<F>>(
    name: N,
    ...[args, options]: CallOf<F, N, EnqueueOptions>
  ): Promise<Handle<ReturnOf<F, N>>> {
    const job = this.#job(name, args, options);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const checking = this.#checks ? this.side.catalog.check(job) : undefined;
    if (checking !== undefined) await this.side.within(checking, signal);
    const [word, heard] = await this.side.within(this.side.submit(job), signal);
    return this.#accept(job, word, heard);
  }

  /** A call, checked, for enqueueMany. Throws BadArguments, ConfigurationError. */
  job<N extends NameIn<F>>(name: N, ...[args, options]: CallOf<F, N, TaskOptions>): ReadyJob<ReturnOf<F, N>> {
    return this.#job(name, args, options);
  }

  /**
   * Submits what job() made, in few round trips; the handles come in the same order.
   *
   * An id conflict stops nothing: all others are submitted, then IdConflict is thrown for the first, and its `handles`
   * has the handle of every job that was submitted, undefined for one that was not. After any other ServerError, or
   * when `signal` aborts, some may have been submitted: those with ids of your own may simply be sent again. Throws
   * BadArguments for what is no job; nothing was submitted then.
   */
  async enqueueMany<R>(
    jobs: Iterable<ReadyJob<R>>,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Handle<R>[]> {
    const listed = checkReady(jobs);
    signal?.throwIfAborted();
    const checking = this.#checks ? this.side.catalog.checkAll(listed) : undefined;
    if (checking !== undefined) await this.side.within(checking, signal);
    const words = await this.side.within(this.side.submitMany(listed, signal), signal);
    return this.#acceptAll(listed, words);
  }

  /** The handle of a task that was submitted elsewhere or earlier. Asks nothing of Redis yet. */
  // biome-ignore lint/suspicious/noExplicitAny: nobody has said which function that task runs
  handle<R = any>(id: string): Handle<R> {
    return new Handle<R>(this, checkId(id));
  }

  /**
   * Cancels all that was submitted to a queue until now and that no worker has taken yet, also what is delayed.
   *
   * It costs the same whatever waits there: the moment, which is returned, is noted for 30 days, and a task from before
   * it ends as failed, with the code "cancelled", when a worker comes to it. What runs goes on. A task whose producer
   * wrote no `pending-created` is not touched. Throws ServerError, ConfigurationError.
   */
  async cancelQueue(name: string): Promise<Date> {
    return plans.cutOff(this, 'queue', name);
  }

  /** The same as cancelQueue for all tasks of a function, in every queue. */
  async cancelFunction(name: NameIn<F>): Promise<Date> {
    return plans.cutOff(this, 'function', name);
  }

  /** The failed tasks, the newest first: at most 10,000 are kept for each queue. A cancelled task is not among them. */
  failed(wanted: plans.FailedFilter = {}): AsyncGenerator<TaskInfo, void, undefined> {
    return plans.failedTasks(this, wanted);
  }

  /** Runs failed tasks again as if they were new, and says how many: with their arguments, options and ids. */
  retryFailed(wanted: plans.FailedFilter = {}): Promise<number> {
    return plans.requeueFailed(this, wanted);
  }

  /** Forgets failed tasks, their hashes and their output, and says how many. */
  dropFailed(wanted: plans.FailedFilter = {}): Promise<number> {
    return plans.dropFailed(this, wanted);
  }

  /** Ends all waits of this client with ServerUnavailable, and closes its connections once they have been answered. */
  async close(): Promise<void> {
    await this.side.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #job(name: string, args: unknown, options: EnqueueOptions | undefined): Job {
    if (typeof name !== 'string') throw new BadArguments('give the name of a function');
    const { queue = this.queue, id, delay, fields } = spell(options);
    const json = encodeArgs(name, args);
    return { id: id ?? newId(), function: name, args: json, queue, delay, fields, ownId: id !== undefined };
  }

  #accept<R>(job: Job, word: string, heard?: number): Handle<R> {
    if (word === 'created' || word === 'exists') return new Handle<R>(this, job.id, true, heard);
    throw fault(this.keys, job, word);
  }

  #acceptAll<R>(jobs: readonly Job[], words: readonly string[]): Handle<R>[] {
    const faults: Error[] = [];
    const handles = jobs.map((job, at) => {
      try {
        return this.#accept<R>(job, words[at] ?? '');
      } catch (error) {
        faults.push(error as Error);
        return undefined;
      }
    });
    const [first] = faults;
    if (first instanceof IdConflict) throw new IdConflict(first.id, handles);
    if (first !== undefined) throw first;
    return handles as Handle<R>[];
  }
}

function checkReady<J extends Job>(jobs: Iterable<J>): J[] {
  if (typeof jobs?.[Symbol.iterator] !== 'function') {
    throw new BadArguments('enqueueMany: give a list of jobs; make each with doshit.job(name, args)');
  }
  const listed = [...jobs];
  for (const [at, job] of listed.entries()) {
    if (typeof job?.function === 'string' && typeof job.args === 'string' && Array.isArray(job.fields)) continue;
    throw new BadArguments(`enqueueMany, place ${at}: this is no job; make each with doshit.job(name, args)`);
  }
  return listed;
}
