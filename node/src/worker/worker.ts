/**
 * A worker in the user's own process: `doshit.worker({ add })`. Starts at once.
 *
 * It promises what one process can. A handler that never settles is given up at its limit but goes on; one that keeps
 * the event loop busy delays all others; one that ends the process ends the worker, whose tasks then run elsewhere.
 */

import { EventEmitter } from 'node:events';
import { BadTask, ConfigurationError } from '../errors.js';
import type { RedisSource } from '../transport/index.js';
import type { Keys } from '../values/keys.js';
import { checkQueue } from '../values/names.js';
import { secondsOf } from '../values/times.js';
import { Engine } from './engine/engine.js';
import type { Level } from './engine/log.js';
import { type Functions, functionsOf, type Ready } from './functions.js';
import { Local } from './local.js';
import { SafePulse } from './pulse.js';
import { DEFAULTS, type Settings } from './settings.js';

/** How a worker serves. Durations are seconds. */
export interface WorkerOptions {
  /** The queue it serves, by default that of the app; or several, served in this order. */
  readonly queue?: string | undefined;
  readonly queues?: readonly string[] | undefined;
  /** Runs at once: 100 if absent. */
  readonly concurrency?: number | undefined;
  /** What runs get to end by themselves after stop(): 8 if absent. */
  readonly grace?: number | undefined;
  /** No run gets more time than this, whatever it or its function wishes. */
  readonly timeLimit?: number | undefined;
  /** Keep with each task what its handler writes by console: false if absent. task.log() is always kept. */
  readonly captureConsole?: boolean | undefined;
  /** Stops the worker when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** What a worker needs of its app. */
export interface WorkerApp {
  readonly redis: RedisSource;
  readonly keys: Keys;
  readonly queue: string;
}

const OPTIONS = ['queue', 'queues', 'concurrency', 'grace', 'timeLimit', 'captureConsole', 'signal'];

/**
 * A worker that serves. It keeps the process alive until it has stopped.
 *
 * Events: 'error' with a DoshitError, when it cannot serve and has stopped; 'log' with a level ("debug", "info",
 * "warning", "error") and a line. Without a listener for them, warnings and errors go to console.error.
 */
export class Worker extends EventEmitter<{ error: [Error]; log: [Level, string] }> {
  /** Settles when it serves; rejects with a ServerError for a server that will not do. One that is away is waited for. */
  readonly ready: Promise<void>;
  readonly #engine: Engine;
  #stopping: Promise<void> | undefined;

  /** Throws BadTask, ConfigurationError. settings: what only tests set. */
  constructor(app: WorkerApp, functions: Functions, options: WorkerOptions = {}, settings: Partial<Settings> = {}) {
    super();
    const all = { ...settingsOf(app.queue, options), ...settings };
    const ready = functionsOf(functions);
    for (const one of ready.values()) refuseIsolated(one);
    options.signal?.throwIfAborted();
    this.#engine = this.#makeEngine(app, ready, all, options.captureConsole === true);
    this.ready = this.#engine.start();
    this.ready.catch((error) => this.#failed(error));
    const stop = () => void this.stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    // A signal may outlive many workers.
    void this.#engine.stopped.then(() => options.signal?.removeEventListener('abort', stop));
  }

  #makeEngine(app: WorkerApp, ready: Map<string, Ready>, settings: Settings, capture: boolean): Engine {
    const { redis, keys } = app;
    const log = (level: Level, message: string) => this.#log(level, message);
    const { resultCap, reasonCap, tracebackCap, concurrency } = settings;
    const executor = new Local(ready, { slots: concurrency, capture, resultCap, reasonCap, tracebackCap });
    return new Engine({
      ...{ redis, keys, settings, executor, log },
      makePulse: (session, hear) => new SafePulse(redis, keys, session, settings.busyMost, hear, log),
    });
  }

  /** Its name in Redis. One that was taken for dead goes on under another. */
  get id(): string {
    return this.#engine.id;
  }

  /**
   * Takes no more tasks, waits until those that run have ended, and gives back the others, which costs them no attempt.
   *
   * grace: seconds after which what still runs is given back too, its `task.signal` aborted; it runs again elsewhere.
   * Settles when all has been told to Redis. Again: the shorter grace holds. Never throws.
   */
  stop({ grace }: { readonly grace?: number | undefined } = {}): Promise<void> {
    return this.#engine.stop(grace);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #failed(error: Error): void {
    this.#stopping ??= this.stop({ grace: 0 });
    if (this.listenerCount('error') > 0) this.emit('error', error);
    else this.#log('error', error.message);
  }

  #log(level: Level, message: string): void {
    if (this.listenerCount('log') > 0) this.emit('log', level, message);
    else if (level === 'warning' || level === 'error') console.error(`doshit worker: ${level}: ${message}`);
  }
}

function settingsOf(appQueue: string, options: WorkerOptions): Settings {
  if (typeof options !== 'object' || options === null) throw new ConfigurationError('worker options: give an object');
  const odd = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (odd !== undefined)
    throw new ConfigurationError(`option '${odd}': there is none; options are ${OPTIONS.join(', ')}`);
  const { queue, queues, concurrency = DEFAULTS.concurrency, grace = DEFAULTS.grace, timeLimit } = options;
  if (queue !== undefined && queues !== undefined) throw new ConfigurationError('give `queue` or `queues`, not both');
  const served = [...new Set(queues ?? [queue ?? appQueue])].map(checkQueue);
  if (served.length === 0) throw new ConfigurationError("option 'queues': give at least one");
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 100_000) {
    throw new ConfigurationError(`option 'concurrency': ${concurrency} is no whole number from 1 to 100,000`);
  }
  checkSeconds('grace', grace, 0);
  if (timeLimit !== undefined) checkSeconds('timeLimit', timeLimit, 0.001);
  return { ...DEFAULTS, queues: served, concurrency, grace, timeLimitCap: timeLimit };
}

function checkSeconds(name: string, value: number, least: number): void {
  try {
    if (secondsOf(value) >= least) return;
  } catch (error) {
    throw new ConfigurationError(`option '${name}': ${(error as Error).message}`);
  }
  throw new ConfigurationError(`option '${name}': ${value} s; give at least ${least}`);
}

function refuseIsolated({ name, policy }: Ready): void {
  const option = policy.isolate ? 'isolate' : policy.memoryLimit !== undefined ? 'memoryLimit' : undefined;
  if (option === undefined) return;
  throw new BadTask(
    `function ${JSON.stringify(name)}: ${option} needs a process for each run; serve it with \`npx doshit worker\``,
  );
}
