/** Chooses what beats for a worker in the user's process: a thread, or where none can, the event loop itself. */

import type { RedisSource } from '../transport/index.js';
import type { Keys } from '../values/keys.js';
import type { Log } from './engine/log.js';
import { type HearBeat, type Pulse, PulseHere } from './engine/pulse.js';
import type { Session } from './engine/session.js';
import { ThreadPulse } from './threadPulse.js';

/** A pulse that outlives its thread. */
export class SafePulse implements Pulse {
  readonly #here: PulseHere;
  #thread: ThreadPulse | undefined;
  #worker = '';

  /** patience: seconds that the event loop may be busy until it beats no more. */
  constructor(redis: RedisSource, keys: Keys, session: Session, patience: number, hear: HearBeat, log: Log) {
    this.#here = new PulseHere(session, keys, hear);
    try {
      this.#thread = new ThreadPulse(redis, keys.prefix, patience, hear, (why) => {
        this.#thread = undefined;
        log('warning', `the thread that beats has ended (${why}); from now on the event loop beats`);
        this.#here.begin(this.#worker);
      });
    } catch (error) {
      const why = (error as Error).message;
      log('debug', `no thread can beat for this worker (${why}); its event loop must not be busy for 10 s`);
    }
  }

  begin(worker: string): void {
    this.#worker = worker;
    if (this.#thread === undefined) {
      this.#here.begin(worker);
      return;
    }
    // At once, for the first claim needs a lease; the thread takes a moment to start.
    this.#here.now(worker);
    this.#thread.begin(worker);
  }

  now(): void {
    if (this.#thread === undefined) this.#here.now();
    else this.#thread.now();
  }

  end(): void {
    this.#here.end();
    this.#thread?.end();
  }
}
