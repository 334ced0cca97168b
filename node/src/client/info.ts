/** A task as its hash and its output tell it. Reads values, asks nothing. */

import { type DecodeOptions, decode, decodeValue } from '../values/codec.js';
import { textOf } from '../values/text.js';
import { parseTimestamp } from '../values/times.js';

/** How far a run said it is. fraction: 0 to 1, null: unknown; text: one line; at: when it said so, by its clock. */
export interface Progress {
  readonly fraction: number | null;
  readonly text: string;
  readonly at: Date | null;
}

/** A run that failed and was followed by another. code: its error code; reason: one line; at: when it ended. */
export interface Failure {
  readonly attempt: number;
  readonly code: string;
  readonly reason: string;
  readonly at: Date | null;
}

/** A piece of what a task printed. stream: "stdout", "stderr" or "log"; at: when, by the clock of its worker. */
export interface OutputLine {
  readonly stream: string;
  readonly at: Date | null;
  readonly text: string;
}

/** What the hash of a task said at one moment. A field that is not there, or that a stranger has spoilt, is null. */
export class TaskInfo {
  readonly id: string;
  /** Every field of the hash, as text. */
  readonly fields: ReadonlyMap<string, string>;

  /** fields: names and values in turn, as HGETALL answers. */
  constructor(id: string, flat: readonly Buffer[]) {
    this.id = id;
    const pairs = Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!] as const);
    this.fields = new Map(pairs.map(([name, value]) => [textOf(name), textOf(value)]));
  }

  /** The name of what it runs. */
  get function(): string | null {
    return this.#text('function');
  }

  /** `pending` (also while delayed), `executing` or `finished`. */
  get state(): string {
    return this.#text('state') ?? 'pending';
  }

  get queue(): string | null {
    return this.#text('queue');
  }

  /** The worker that took it last. */
  get worker(): string | null {
    return this.#text('worker');
  }

  /** When it was submitted. */
  get created(): Date | null {
    return momentOf(this.#text('pending-created'));
  }

  /** When its last run was claimed. */
  get started(): Date | null {
    return momentOf(this.#text('executing-created'));
  }

  get finished(): Date | null {
    return momentOf(this.#text('finished-created'));
  }

  /** Runs begun. */
  get attempts(): number {
    return countOf(this.#text('attempts'));
  }

  /** Runs whose worker vanished. */
  get lost(): number {
    return countOf(this.#text('lost'));
  }

  /** Runs begun again because one failed. */
  get retried(): number {
    return countOf(this.#text('retried'));
  }

  /** The last 10 runs that failed and were followed by another, the newest last. */
  get failures(): readonly Failure[] {
    const listed = decoded(this.#text('failures'));
    return Array.isArray(listed) ? listed.filter(isObject).map(failureOf) : [];
  }

  get progress(): Progress | null {
    return progressOf(this.#text('progress'));
  }

  /** Seconds of processor time that its last run used, where that was measured. */
  get cpuTime(): number | null {
    const seconds = Number(this.#text('cpu-time') || Number.NaN);
    return seconds >= 0 && seconds < Number.POSITIVE_INFINITY ? seconds : null;
  }

  /** Bytes of memory that its last run added, where that was measured. */
  get memoryPeak(): number | null {
    return countOf(this.#text('memory-peak')) || null;
  }

  /** `successful` or `failed`; null before its end. */
  get result(): string | null {
    return this.#text('result');
  }

  get errorCode(): string | null {
    return this.#text('error-code');
  }

  get errorReason(): string | null {
    return this.#text('error-reason');
  }

  /** The traceback or stack of the run that failed. */
  get errorStack(): string | null {
    return this.#text('error-exception');
  }

  /** The arguments. Throws BadValue when they are not JSON. */
  args(options?: DecodeOptions): unknown {
    return decodeValue(this.#text('args') ?? '{}', options);
  }

  /** What the task returned, null before its end. Throws BadValue when it is not JSON. */
  resultValue(options?: DecodeOptions): unknown {
    return decodeValue(this.#text('result-value') ?? 'null', options);
  }

  #text(name: string): string | null {
    return this.fields.get(name) ?? null;
  }
}

/** The progress in the field of that name; null where there is none that can be read. */
export function progressOf(raw: string | null): Progress | null {
  const said = decoded(raw);
  if (!isObject(said)) return null;
  const { fraction, text = '', at } = said;
  return { fraction: typeof fraction === 'number' ? fraction : null, text: String(text), at: momentOf(at) };
}

/** What a reply to XRANGE of an output holds; what a stranger made is left out. */
export function outputLines(entries: readonly (readonly [id: Buffer, flat: readonly Buffer[]])[]): OutputLine[] {
  return entries.flatMap(([, flat]) => {
    const { fields } = new TaskInfo('', flat);
    const text = fields.get('m');
    return text === undefined ? [] : [{ stream: fields.get('s') ?? '', at: momentOf(fields.get('t')), text }];
  });
}

function failureOf({ attempt, code = '', reason = '', at }: Readonly<Record<string, unknown>>): Failure {
  const number = typeof attempt === 'number' && Number.isSafeInteger(attempt) ? attempt : 0;
  return { attempt: number, code: String(code), reason: String(reason), at: momentOf(at) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decoded(raw: string | null): unknown {
  try {
    return raw === null ? null : decode(raw);
  } catch {
    return null;
  }
}

function momentOf(text: unknown): Date | null {
  try {
    return parseTimestamp(text as string);
  } catch {
    return null;
  }
}

function countOf(text: string | null): number {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
