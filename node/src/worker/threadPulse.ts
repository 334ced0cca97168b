/**
 * Beats from a thread with a connection of its own, for a worker in a process with code of the user's.
 *
 * So a handler that keeps the event loop busy for a while does not cost the worker its tasks. But one that keeps it
 * busy for a minute does: nobody could tell it from one that is stuck for ever.
 */

import { Worker as Thread } from 'node:worker_threads';
import type { Beat } from '../commands/index.js';
import type { RedisSource } from '../transport/index.js';
import type { HearBeat, Pulse } from './engine/pulse.js';
import { monotonicSeconds, type Order, type ThreadData } from './pulseOrders.js';

const SIGN_EVERY = 1000; // ms between two signs of life of this thread

/** Made for one worker; onEnd hears that the thread has ended by itself. */
export class ThreadPulse implements Pulse {
  readonly #thread: Thread;
  readonly #signs = new Int32Array(new SharedArrayBuffer(4));
  readonly #timer: NodeJS.Timeout;
  #isEnded = false;

  /** patience: seconds without a sign of the event loop after which it beats no more. Throws for what no thread takes. */
  constructor(redis: RedisSource, prefix: string, patience: number, hear: HearBeat, onEnd: (why: string) => void) {
    const workerData: ThreadData = { redis: portable(redis), prefix, patience, signs: this.#signs };
    this.#sign();
    this.#thread = new Thread(new URL('./pulseThread.js', import.meta.url), { workerData, execArgv: [] });
    this.#thread.unref();
    this.#thread.on('message', ({ beat, worker }: { beat: Beat; worker: string }) => {
      if (!this.#isEnded) hear({ ...beat, stops: beat.stops.map((stop) => Buffer.from(stop)) }, worker);
    });
    const ended = (why: unknown) => {
      if (this.#isEnded) return;
      this.end();
      onEnd(why instanceof Error ? why.message : `exit ${why}`);
    };
    this.#thread.on('error', ended).on('exit', ended);
    this.#timer = setInterval(() => this.#sign(), SIGN_EVERY);
    this.#timer.unref();
  }

  #sign(): void {
    Atomics.store(this.#signs, 0, monotonicSeconds());
  }

  #tell(order: Order): void {
    if (!this.#isEnded) this.#thread.postMessage(order);
  }

  begin(worker: string): void {
    this.#sign();
    this.#tell({ begin: worker });
  }

  now(): void {
    this.#tell({ now: true });
  }

  end(): void {
    this.#isEnded = true;
    clearInterval(this.#timer);
    void this.#thread.terminate();
  }
}

/** The same server, said so that a thread can be told. Throws where it cannot. */
function portable(redis: RedisSource): RedisSource {
  if (typeof redis === 'string') return redis;
  const { sendCommand, nodes, options } = redis as { sendCommand?: unknown; nodes?: unknown; options?: object };
  if (typeof sendCommand !== 'function') return structuredClone(redis);
  if (typeof nodes === 'function' || !options || 'socket' in options)
    throw new Error('its client is a cluster or node-redis');
  const { tls = undefined } = options as { tls?: object };
  const plain = Object.entries(options).filter(
    ([, value]) => value === null || !['object', 'function'].includes(typeof value),
  );
  return { ...Object.fromEntries(plain), ...(tls === undefined ? {} : { tls: structuredClone(tls) }) } as RedisSource;
}
