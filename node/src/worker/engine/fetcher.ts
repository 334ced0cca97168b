/** Decides when to claim, how much, and when to wait instead. Hands on what it got; runs nothing. */

import { type Claimed, type ClaimReply, claim } from '../../commands/index.js';
import type { Keys } from '../../values/keys.js';
import { FAILED_TTL } from '../../values/states.js';
import type { Settings } from '../settings.js';
import type { Log } from './log.js';
import type { Session } from './session.js';
import { Wait } from './waits.js';

export const CLAIM_MOST = 200;
const CLAIM_BYTES = 1 << 20;
const WORTH_A_CALL = 32; // room below which a busy worker does not ask yet
const IN_FLIGHT = 3;
const PAUSE = 1000;
const BAD_PAUSE = 5000;

/** What a fetcher asks and tells. */
export interface Fetching {
  /** How many more tasks this worker wants; how many it holds that wait or run. */
  room(): number;
  queued(): number;
  onTasks(tasks: readonly Claimed[]): void;
  /** "sealed", or "unknown": register again. */
  onLostId(state: 'sealed' | 'unknown'): void;
}

/** What one worker takes from its queues. */
export class Fetcher {
  worker = '';
  stopped = false;
  /** The last claim found less than it asked for. */
  drained = false;
  inFlight = 0;
  readonly waits: readonly Wait[];
  #request = 0;
  #moved: (readonly [queue: string, id: Buffer])[] = [];
  #badUntil = new Map<string, number>();
  #notBefore = 0;

  constructor(
    private readonly session: Session,
    private readonly keys: Keys,
    private readonly settings: Settings,
    private readonly hooks: Fetching,
    private readonly log: Log,
  ) {
    const waiting = {
      onId: (queue: string, id: Buffer) => this.#arrived(queue, id),
      onNothing: () => this.lookAgain(),
    };
    this.waits = settings.queues.map((queue) => new Wait(session.transport, keys, queue, waiting, log));
  }

  /** Fetches under this worker id from now on. */
  begin(worker: string): void {
    this.worker = worker;
    this.#request = 0;
  }

  get hasMoved(): boolean {
    return this.#moved.length > 0;
  }

  /** Something may have come that no wait sees (parked tasks, another worker's): claims once more. */
  lookAgain(): void {
    this.drained = false;
    this.look();
  }

  // A wait moved this id to executing; it is claimed at once, for somebody waits for it.
  #arrived(queue: string, id: Buffer): void {
    this.#moved.push([queue, id]);
    this.lookAgain();
  }

  /** Claims if there is room and something may be there; waits while nothing is. */
  look(): void {
    if (this.worker === '' || this.session.closed) return;
    const now = performance.now();
    const room = this.stopped ? 0 : this.hooks.room();
    if (this.#mayClaim(room, now)) void this.#claim(room, now);
    this.#wait(room, now);
  }

  #mayClaim(room: number, now: number): boolean {
    if (this.inFlight >= IN_FLIGHT || now < this.#notBefore) return false;
    if (this.hasMoved) return true;
    if (room <= 0 || this.drained) return false;
    return room >= WORTH_A_CALL || room * 2 >= this.hooks.queued();
  }

  async #claim(room: number, now: number): Promise<void> {
    const moved = this.#moved;
    const worker = this.worker;
    const limit = Math.min(room, CLAIM_MOST);
    const { argsCap, resultTtl } = this.settings;
    this.#moved = [];
    this.#request += 1;
    this.inFlight += 1;
    const options = { moved, maxBytes: CLAIM_BYTES, argsCap, resultTtl, failedTtl: FAILED_TTL };
    const call = claim(this.keys, worker, this.#request, limit, this.#usable(now), options);
    try {
      const reply = await this.session.call(call);
      this.inFlight -= 1;
      if (worker === this.worker) this.#claimed(reply, limit, moved);
    } catch (error) {
      this.inFlight -= 1;
      this.#refused(error as Error, moved);
    }
  }

  #usable(now: number): readonly string[] {
    if (this.#badUntil.size === 0) return this.settings.queues;
    return this.settings.queues.filter((queue) => !this.#isBad(queue, now));
  }

  #isBad(queue: string, now: number): boolean {
    return (this.#badUntil.get(queue) ?? 0) > now;
  }

  #refused(error: Error, moved: readonly (readonly [string, Buffer])[]): void {
    if (this.session.closed) return;
    this.log('warning', `Redis refuses to hand out tasks, trying again: ${error.message}`);
    this.#moved = [...moved, ...this.#moved];
    this.#notBefore = performance.now() + PAUSE;
  }

  #claimed(reply: ClaimReply, limit: number, moved: readonly (readonly [string, Buffer])[]): void {
    const now = performance.now();
    if (reply.state !== 'claimed') {
      this.#moved = [...moved, ...this.#moved];
      this.#notBefore = now + PAUSE / 10;
      this.hooks.onLostId(reply.state);
      return;
    }
    for (const [queue, problem] of reply.problems) {
      this.log('error', `queue ${queue} is left out for ${BAD_PAUSE / 1000} s: ${problem}`);
      this.#badUntil.set(queue, now + BAD_PAUSE);
    }
    if (limit > 0) this.drained = reply.looked < limit + moved.length;
    if (reply.tasks.length > 0) this.hooks.onTasks(reply.tasks);
    this.look();
  }

  // One wait a queue while the queues are empty and a slot is free. What comes beyond that goes back soon.
  #wait(room: number, now: number): void {
    for (const wait of this.waits) {
      if (room > 0 && this.drained && !this.hasMoved && !this.#isBad(wait.queue, now)) wait.arm(now);
      else if (room <= 0) this.#unblock(wait);
    }
  }

  #unblock(wait: Wait): void {
    const command = wait.unblock();
    if (command === undefined) return;
    this.session.commands([command]).then(
      ([ended]) => ended === 1 || wait.missed(),
      () => {},
    );
  }

  /** Does a wait still have an id to bring? */
  get isWaiting(): boolean {
    return this.waits.some((wait) => wait.armed);
  }

  close(): void {
    for (const wait of this.waits) wait.close();
  }
}
