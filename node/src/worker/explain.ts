/** What an error of a run means: a code, one line for a person, a stack, and whether another run may go better. */

import { Cancel, ResultNotJson, Retry, TaskCancelled, TimeLimitExceeded } from '../errors.js';
import type { ErrorCode } from '../values/states.js';
import type { Again, Failure, Why } from './engine/executor.js';

/** Characters that are kept. */
export interface Terms {
  readonly reasonCap: number;
  readonly tracebackCap: number;
}

const CAUSES = 5;
// Frames of this package and of node below the user's own are noise to their reader.
const OWN = new URL('.', import.meta.url).href;

/** A failure that this package says itself: no stack, and no other run. */
export function refused(code: ErrorCode, reason: string, { reasonCap }: Terms): Failure {
  return { code, reason: oneLine(reason, reasonCap), trace: '', again: null };
}

/** What was thrown by a run, or is to be taken as thrown. stopped: why it was told to end. */
export function explain(
  error: unknown,
  stopped: Why | undefined,
  wantsRetry: (error: unknown) => boolean,
  terms: Terms,
): Failure {
  if (error instanceof ResultNotJson) return refused('result-not-json', error.message, terms);
  if (error instanceof Cancel) return refused('cancelled', error.message, terms);
  const reason = oneLine(reasonOf(error, stopped), terms.reasonCap);
  const trace = cut(
    safely(() => stackOf(error)),
    terms.tracebackCap,
  );
  return { code: codeOf(error, stopped), reason, trace, again: againAfter(error, stopped, wantsRetry) };
}

// A run that was told to end ends by that, whatever it threw on its way out.
function codeOf(error: unknown, stopped: Why | undefined): ErrorCode {
  return error instanceof Retry ? 'exception' : (stopped ?? 'exception');
}

function againAfter(error: unknown, stopped: Why | undefined, wantsRetry: (error: unknown) => boolean): Again {
  if (error instanceof Retry) return error.after ?? -1;
  return stopped !== 'cancelled' && wantsRetry(error) ? true : null;
}

function reasonOf(error: unknown, stopped: Why | undefined): string {
  if (!(error instanceof Error)) return `threw ${shown(error)}, which is no Error`;
  const message = safely(() => String(error.message));
  if (error instanceof Retry) return message;
  if (stopped && (error instanceof TimeLimitExceeded || error instanceof TaskCancelled)) return message;
  const name = safely(() => String(error.name));
  return message ? `${name}: ${message}` : name;
}

function shown(value: unknown): string {
  return safely(() => (typeof value === 'string' ? JSON.stringify(value) : String(value)));
}

function stackOf(error: unknown): string {
  const stacks: string[] = [];
  for (let at = error; at instanceof Error && stacks.length < CAUSES; at = at.cause) stacks.push(userStack(at));
  return stacks.join('Caused by: ');
}

function userStack(error: Error): string {
  const lines = String(error.stack ?? `${error.name}: ${error.message}`).split('\n');
  return `${lines.filter((line) => !/^\s+at /.test(line) || !isNoise(line)).join('\n')}\n`;
}

function isNoise(line: string): boolean {
  return line.includes(OWN) || line.includes('node:internal/') || line.includes('node:async_hooks');
}

/** User code may throw from a getter too. */
function safely(describe: () => string): string {
  try {
    return Buffer.from(describe()).toString();
  } catch (error) {
    return `(${typeof error} thrown while it was described)`;
  }
}

/** The end of a stack is kept when it is too long. */
function cut(text: string, cap: number): string {
  return text.length <= cap ? text : `[...]\n${text.slice(text.length - cap)}`;
}

/** Text as one line for a person: control characters escaped, cut at so many characters. */
export function oneLine(text: string, cap: number): string {
  const clean = text
    .slice(0, cap)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (mark) =>
      JSON.stringify(mark).slice(1, -1) === mark
        ? `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`
        : JSON.stringify(mark).slice(1, -1),
    );
  return text.length <= cap && clean.length <= cap ? clean : `${clean.slice(0, Math.max(0, cap - 3))}...`;
}
