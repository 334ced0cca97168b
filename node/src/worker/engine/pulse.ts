/** Beats, so that the lease of a worker does not end. Judges no answer. */

import { type Beat, beat } from '../../commands/index.js';
import type { Keys } from '../../values/keys.js';
import { BEAT, LEASE_MS } from '../../values/states.js';
import type { Session } from './session.js';

/** Hears the answer to each beat, and under which name it was. */
export type HearBeat = (beat: Beat, worker: string) => void;

/** What beats; one for a worker. */
export interface Pulse {
  /** Beats at once, and from now on under this name. */
  begin(worker: string): void;
  /** Beats before it is time. */
  now(): void;
  end(): void;
}

/** Makes the pulse of a worker whose calls go over this session. */
export type PulseMaker = (session: Session, hear: HearBeat) => Pulse;

/** Beats from this very event loop. may: is asked before each beat. */
export class PulseHere implements Pulse {
  #worker = '';
  #timer: NodeJS.Timeout | undefined;
  #asked = false;
  #ended = false;

  constructor(
    private readonly session: Session,
    private readonly keys: Keys,
    private readonly hear: HearBeat,
    private readonly may: () => boolean = () => true,
  ) {}

  begin(worker: string): void {
    this.#worker = worker;
    this.#timer ??= setInterval(() => this.now(), BEAT * 1000);
    this.#asked = false;
    this.now();
  }

  /** worker: under this name once, without beginning. */
  now(worker = this.#worker): void {
    if (this.#asked || this.#ended || !this.may()) return;
    this.#asked = true;
    void this.#send(worker);
  }

  async #send(worker: string): Promise<void> {
    try {
      const answer = await this.session.call(beat(this.keys, worker, { leaseMs: LEASE_MS }));
      this.#asked = false;
      if (!this.#ended) this.hear(answer, worker);
    } catch {
      this.#asked = false; // refused: the next one may not be
    }
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }
}
