/** Reads the end of a task off its hash, and says how long a waiter goes on. Sends nothing, reads no clock. */

import { ConfigurationError, type ServerUnavailable, TaskFailed, TaskVanished, WaitTimeout } from '../errors.js';
import { backoff } from '../values/backoff.js';
import { type DecodeOptions, decodeValue } from '../values/codec.js';

// state and function only tell whether there is a hash at all.
export const END_FIELDS = [
  'result',
  'result-value',
  'error-code',
  'error-reason',
  'error-exception',
  'state',
  'function',
] as const;

/** Seconds after which a waiter looks again, whatever it has heard: a message is a hint, the hash is the truth. */
const REREAD = 2;
/** Seconds that a task nobody has seen yet may take to appear. */
const NEVER_SEEN = 5;
/** Seconds without an answer of Redis after which a wait without timeout ends. */
const AWAY = 60;

/** What a look found when the task has not ended. */
export const PENDING = Symbol('pending');

/** One wait for one task, from its first look to its outcome. Times are those of one monotonic clock, in seconds. */
export class Wait {
  #awaySince: number | undefined;
  #blips = 0;
  #looks = 0;

  /** known: it has been in Redis; timeout: seconds; started: now. */
  constructor(
    readonly id: string,
    private readonly options: DecodeOptions,
    private known: boolean,
    private readonly timeout: number | undefined,
    private readonly started: number,
  ) {
    if (timeout === undefined || (typeof timeout === 'number' && !Number.isNaN(timeout))) return;
    throw new ConfigurationError(`timeout: ${String(timeout)} is no number of seconds; leave it out to wait for ever`);
  }

  /** The result in the message of its end. Throws BadValue. */
  take(told: Buffer): unknown {
    return decodeValue(told, this.options);
  }

  /** The result in a reply to HMGET of END_FIELDS, or PENDING. Throws TaskFailed; TaskVanished; BadValue. */
  judge(reply: readonly (Buffer | null)[], now: number): unknown {
    this.#awaySince = undefined;
    const [result, value, code, reason, exception, state, name] = reply;
    if (result?.equals(SUCCESSFUL)) return value ? decodeValue(value, this.options) : null;
    if (result) throw new TaskFailed(this.id, text(code) || 'exception', text(reason), text(exception));
    if (state || name) this.known = true;
    else if (this.known || now - this.started >= NEVER_SEEN) throw new TaskVanished(this.id);
    return PENDING;
  }

  /** Seconds until the next look at the latest. Throws WaitTimeout when the time is up. */
  pause(now: number): number {
    const waited = now - this.started;
    const longest = this.known ? REREAD : Math.min(REREAD, Math.max(NEVER_SEEN - waited, 0.01));
    if (this.timeout === undefined) return longest;
    if (waited >= this.timeout) throw new WaitTimeout(this.id, this.timeout);
    return Math.min(longest, this.timeout - waited);
  }

  /**
   * Seconds to wait before the next try, Redis being away: a blip is no reason to throw.
   *
   * Throws WaitTimeout, with the error as its cause, when the time is up; without a timeout the error itself after 60 s.
   */
  away(error: ServerUnavailable, now: number): number {
    if (this.#awaySince === undefined) {
      this.#awaySince = now;
      this.#blips = 0;
    }
    this.#blips += 1;
    if (this.timeout === undefined && now - this.#awaySince >= AWAY) throw error;
    try {
      return Math.min(this.pause(now), backoff(this.#blips, 0.05, { ceiling: 1 }));
    } catch (late) {
      (late as Error).cause = error;
      throw late;
    }
  }

  /** Seconds until the next look where nothing can be heard: soon at first. Throws WaitTimeout. */
  blind(now: number): number {
    this.#looks += 1;
    return Math.min(this.pause(now), backoff(this.#looks, 0.01, { factor: 1.3, ceiling: 0.5 }));
  }
}

const SUCCESSFUL = Buffer.from('successful');

/** A field as text; "" where there is none. */
export function text(value: Buffer | null | undefined): string {
  return value?.toString() ?? '';
}
