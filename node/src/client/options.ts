/** How a task is to be enqueued, kept apart from its arguments. Checks and spells options; knows no task. */

import { ConfigurationError } from '../errors.js';
import { checkId, checkQueue } from '../values/names.js';
import { sizeOf } from '../values/sizes.js';
import { isWellFormed } from '../values/text.js';
import { decimalSeconds, formatTimestamp, secondsOf } from '../values/times.js';

/** What may be said about one task. Durations are seconds. */
export interface TaskOptions {
  /** The name of its queue, by default the app's. */
  readonly queue?: string | undefined;
  /** Your own, 1 to 255 bytes: the idempotency key of this task as long as it is in Redis. */
  readonly id?: string | undefined;
  /** Seconds from now before a worker may take it. */
  readonly delay?: number | undefined;
  /** A moment in place of delay, by the clock of this machine; a past one is now. */
  readonly at?: Date | undefined;
  /** Before all that wait in the queue; not together with delay or at. */
  readonly front?: boolean | undefined;
  /** A moment, or seconds from now; a task that has not started by then fails with the code "expired". */
  readonly expires?: number | Date | undefined;
  /** Seconds that the task stays readable after its end, or "keep". */
  readonly resultTtl?: number | 'keep' | undefined;
  /** Seconds that one run may take, in place of what its function says. */
  readonly timeLimit?: number | undefined;
  /** Bytes that one run may add to the memory of its process, or text such as 200MB. */
  readonly memoryLimit?: number | string | undefined;
  /** How often it is run again after a run that failed. */
  readonly retries?: number | undefined;
  /** Seconds before the first of these runs. */
  readonly retryDelay?: number | undefined;
  /** The factor from one such wait to the next, 1 to 1000. */
  readonly retryBackoff?: number | undefined;
  /** Who asked; kept with the task. */
  readonly username?: string | undefined;
  /** W3C trace context, handed on to the run. */
  readonly traceparent?: string | undefined;
}

/** signal: stops waiting for the server; the task may have been submitted all the same. */
export interface EnqueueOptions extends TaskOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options as submit wants them: delay in seconds, "front" or ""; fields are flat. */
export interface Spelled {
  readonly queue: string | undefined;
  readonly id: string | undefined;
  readonly delay: string;
  readonly fields: readonly string[];
}

const PLAIN: Spelled = { queue: undefined, id: undefined, delay: '', fields: [] };

/** Checks and spells options, by the clock of this machine. Throws ConfigurationError, naming the option. */
export function spell(given: EnqueueOptions | undefined): Spelled {
  if (given === undefined) return PLAIN;
  if (typeof given !== 'object' || given === null)
    throw new ConfigurationError(`options: ${String(given)} is no object`);
  const now = new Date();
  const fields: string[] = [];
  let delay = '';
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const how = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (how !== undefined)
      fields.push(
        how.field,
        spelled(name, () => how.spell(value, now)),
      );
    else if (Object.hasOwn(PLACES, name)) delay = spelled(name, () => PLACES[name]!(value, now)) || delay;
    else if (!OTHERS.has(name)) throw new ConfigurationError(`option '${name}': there is no such option; ${listed()}`);
  }
  refuseTwoPlaces(given);
  const { queue, id } = given;
  return {
    queue: queue === undefined ? queue : checkQueue(queue),
    id: id === undefined ? id : checkId(id),
    delay,
    fields,
  };
}

/** Seconds of a limit as text. Throws RangeError for 0, which would end every run at once. */
export function limitSeconds(value: number): string {
  if (secondsOf(value) < 0.001) throw new RangeError('a limit of 0 s: give more than 0, or leave it out for none');
  return decimalSeconds(value);
}

/** Bytes of a limit as text. Throws RangeError for 0. */
export function limitBytes(value: number | string): string {
  const size = sizeOf(value);
  if (size === 0) throw new RangeError('a limit of 0 bytes: give more, or leave it out for none');
  return String(size);
}

/** A count as text. Throws RangeError for anything but a whole number from 0 on. */
export function whole(value: number): string {
  if (!Number.isInteger(value) || value < 0 || value >= 1e9) {
    throw new RangeError(`${String(value)} is no whole number from 0 on`);
  }
  return String(value);
}

/** A factor from one wait to the next as text. Throws RangeError below 1: waits do not shrink. */
export function factor(value: number): string {
  if (typeof value !== 'number' || !(value >= 1 && value <= 1000)) {
    throw new RangeError(`${String(value)} is no factor from 1 to 1000`);
  }
  return decimalSeconds(value);
}

type Speller = (value: never, now: Date) => string;
type Spelling = (value: unknown, now: Date) => string;

const field = (name: string, how: Speller) => ({ field: name, spell: how as Spelling });

const FIELDS: Readonly<Record<string, { field: string; spell: Spelling }>> = {
  resultTtl: field('result-ttl', (ttl: number | 'keep') => (ttl === 'keep' ? ttl : decimalSeconds(ttl))),
  timeLimit: field('time-limit', limitSeconds),
  memoryLimit: field('memory-limit', limitBytes),
  retries: field('retries', whole),
  retryDelay: field('retry-delay', decimalSeconds),
  retryBackoff: field('retry-backoff', factor),
  username: field('username', utf8),
  traceparent: field('traceparent', utf8),
  expires: field('expires', moment),
};

const PLACES: Readonly<Record<string, Spelling>> = {
  delay: decimalSeconds as Spelling,
  at: delayUntil as Spelling,
  front: front as Spelling,
};

const OTHERS = new Set(['queue', 'id', 'signal']);

function listed(): string {
  return `options are ${[...OTHERS, ...Object.keys(PLACES), ...Object.keys(FIELDS)].join(', ')}`;
}

function refuseTwoPlaces(given: TaskOptions): void {
  const places = (['delay', 'at', 'front'] as const).filter(
    (name) => given[name] !== undefined && given[name] !== false,
  );
  if (places.length > 1) throw new ConfigurationError(`options '${places[0]}' and '${places[1]}': give one of them`);
}

function spelled(name: string, how: () => string): string {
  try {
    return how();
  } catch (error) {
    throw new ConfigurationError(`option '${name}': ${(error as Error).message}`);
  }
}

function front(value: boolean): string {
  if (typeof value !== 'boolean') throw new TypeError(`${String(value)} is neither true nor false`);
  return value ? 'front' : '';
}

function utf8(text: string): string {
  if (typeof text !== 'string') throw new TypeError(`expected text, got ${typeof text}`);
  if (!isWellFormed(text)) throw new RangeError('a lone surrogate cannot be written as UTF-8');
  return text;
}

function delayUntil(at: Date, now: Date): string {
  if (!(at instanceof Date) || Number.isNaN(at.getTime())) throw new TypeError(`${String(at)} is no Date`);
  const left = (at.getTime() - now.getTime()) / 1000;
  return left > 0 ? decimalSeconds(left) : '';
}

function moment(when: number | Date, now: Date): string {
  return formatTimestamp(when instanceof Date ? when : new Date(now.getTime() + secondsOf(when) * 1000));
}
