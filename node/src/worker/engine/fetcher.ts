/** Decides when to claim, how much, and when to wait instead. Hands on what it got; runs nothing. */

import { type Call, type Claimed, type ClaimReply, claim } from '../../commands/index.js';
import type { Keys } from '../../values/keys.js';
import { FAILED_TTL } from '../../values/states.js';
import type { Settings } from '../settings.js';
import type { Log } from './log.js';
import type { Session } from './session.js';
import { Wait } from './waits.js';

export const CLAIM_MOST = 200;
const CLAIM_BYTES = 1 << 20;
const WORTH_A_CALL = 32; // room below which a worker does not ask yet, unless something could begin at once
const IN_FLIGHT = 3;
const PAUSE = 1000;
const BAD_PAUSE = 5000;
const REST = 100;

/** What a fetcher asks and tells. */
export interface Fetching {
  /** How many more tasks this worker wants; how many it holds that wait or run. */
  room(): number;
  queued(): number;
  /** How many more would begin at once. */
  couldBegin(): number;
  onTasks(tasks: readonly Claimed[]): void;
  /** Wants to look once what goes first has gone out. */
  soon(): void;
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
  // One count for all: each wait sees it grow too.
  #request = 0;
  #badUntil = new Map<string, number>();
  #notBefore = 0;

  constructor(
    private readonly session: Session,
    private readonly keys: Keys,
    private readonly settings: Settings,
    private readonly hooks: Fetching,
    private readonly log: Log,
  ) {
    this.waits = settings.queues.map((queue) => new Wait(session.transport, keys, queue, log));
  }

  /** Fetches under this worker id from now on. */
  begin(worker: string): void {
    this.worker = worker;
    this.#request = 0;
  }

  /** Something may have come that no wait sees (parked tasks, another worker's): claims once more. */
  lookAgain(): void {
    this.drained = false;
    this.look();
  }

  /** Leaves what was just given back to others for a moment: a claim right behind it would take it before they can. */
  rest(): void {
    this.#notBefore = Math.max(this.#notBefore, performance.now() + REST);
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
    if (room <= 0 || this.drained) return false;
    return room >= WORTH_A_CALL || room * 2 >= this.hooks.queued() || this.hooks.couldBegin() > 0;
  }

  async #claim(room: number, now: number): Promise<void> {
    const worker = this.worker;
    const limit = Math.min(room, CLAIM_MOST);
    const reply = await this.#ask(this.#call(limit, this.#usable(now)));
    if (worker !== this.worker || reply === undefined) return;
    if (limit > 0) this.drained = reply.looked < limit;
    this.#claimed(reply);
    this.look();
  }

  // wait: the place of the wait that this call stands behind.
  #call(limit: number, queues: readonly string[], wait?: number): Call<ClaimReply> {
    this.#request += 1;
    const { argsCap, resultTtl } = this.settings;
    const options = { maxBytes: CLAIM_BYTES, argsCap, resultTtl, failedTtl: FAILED_TTL, wait };
    return claim(this.keys, this.worker, this.#request, limit, queues, options);
  }

  // undefined: it was refused.
  async #ask(call: Call<ClaimReply>): Promise<ClaimReply | undefined> {
    this.inFlight += 1;
    try {
      return await this.session.call(call);
    } catch (error) {
      this.#refused(error as Error);
      return undefined;
    } finally {
      this.inFlight -= 1;
    }
  }

  #usable(now: number): readonly string[] {
    if (this.#badUntil.size === 0) return this.settings.queues;
    return this.settings.queues.filter((queue) => !this.#isBad(queue, now));
  }

  #isBad(queue: string, now: number): boolean {
    return (this.#badUntil.get(queue) ?? 0) > now;
  }

  #refused(error: Error): void {
    if (this.session.closed) return;
    this.log('warning', `Redis refuses to hand out tasks, trying again: ${error.message}`);
    this.#notBefore = performance.now() + PAUSE;
  }

  #claimed(reply: ClaimReply): void {
    const now = performance.now();
    if (reply.state !== 'claimed') {
      this.drained = false;
      this.#notBefore = now + PAUSE / 10;
      this.hooks.onLostId(reply.state);
      return;
    }
    for (const [queue, problem] of reply.problems) {
      this.log('error', `queue ${queue} is left out for ${BAD_PAUSE / 1000} s: ${problem}`);
      this.#badUntil.set(queue, now + BAD_PAUSE);
    }
    if (reply.tasks.length > 0) this.hooks.onTasks(reply.tasks);
  }

  // One wait a queue while the queues are empty and a slot is free. What comes beyond that goes back soon.
  #wait(room: number, now: number): void {
    for (const [at, wait] of this.waits.entries()) {
      if (room <= 0) this.#unblock(wait);
      else if (this.drained && wait.isReady(now) && !this.#isBad(wait.queue, now)) this.#arm(wait, at + 1, room);
    }
  }

  #arm(wait: Wait, place: number, room: number): void {
    const worker = this.worker;
    // No more than begin at once: a worker that has stopped without a word takes no others with it.
    const limit = Math.ceil(Math.max(1, Math.min(room, this.hooks.couldBegin())) / this.waits.length);
    const call = this.#call(limit, [wait.queue], place);
    wait.arm(call, `${worker}/${place}:${this.#request}.`, {
      repeat: (call) => this.#ask(call),
      onReply: (reply) => {
        if (worker !== this.worker) return this.lookAgain(); // what came is for the next claim
        this.drained = reply !== undefined && reply.looked < limit;
        if (reply !== undefined) this.#claimed(reply);
        this.hooks.soon(); // an end that comes at once goes out first: somebody waits for it
      },
    });
  }

  #unblock(wait: Wait): void {
    const command = wait.unblock();
    if (command === undefined) return;
    this.session.commands([command]).then(
      ([ended]) => ended === 1 || wait.missed(),
      () => {},
    );
  }

  /** May this claim be one of ours whose reply is on its way? */
  isComing(claim: Buffer): boolean {
    return this.waits.some((wait) => wait.armed && claim.toString('latin1').startsWith(wait.mark));
  }

  /** Does a wait still have an answer to bring? */
  get isWaiting(): boolean {
    return this.waits.some((wait) => wait.armed);
  }

  close(): void {
    for (const wait of this.waits) wait.close();
  }
}
