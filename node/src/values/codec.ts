/**
 * Turns values into JSON and back, and says where JSON cannot follow. Knows no schema and no Redis.
 *
 * The rules are those of the protocol: what every language can carry, or an error with its path; never another value
 * without a word. Dates travel as ISO text and bytes as base64. JSON.stringify and JSON.parse do the work wherever a
 * cheap look finds nothing that they would lose.
 */

import { isUtf8 } from 'node:buffer';
import { BadArguments, BadValue, ResultNotJson } from '../errors.js';
import { DEEPEST, NotJson, type Path } from './path.js';
import { readCarefully } from './reader.js';
import { isWellFormed } from './text.js';
import { isPlain, write } from './writer.js';

export { NotJson, oneLine } from './path.js';

/** bigint: integers past 2^53 - 1 become BigInts; else they are an error. */
export interface DecodeOptions {
  readonly bigint?: boolean | undefined;
}

/** The value as compact JSON; undefined is null. Throws NotJson, and nothing else, when JSON cannot carry it. */
export function encode(value: unknown): string {
  try {
    if (isSimple(value, 0)) {
      const text = JSON.stringify(value);
      if (!text.includes('\\ud')) return text;
    }
    return write(value) ?? 'null';
  } catch (error) {
    if (error instanceof NotJson) throw error;
    throw new NotJson(undefined, `it cannot be read: ${String(error)}`); // a getter, a proxy or a toJSON of the user's
  }
}

/** What a task returned, as compact JSON. Its size is for the caller to check. Throws ResultNotJson only. */
export function encodeResult(value: unknown): string {
  try {
    return encode(value);
  } catch (error) {
    const { path, reason } = error as NotJson;
    throw new ResultNotJson(`result${path}: ${reason}; return what JSON can carry`);
  }
}

/** The arguments of a call, as the JSON object to push. Throws BadArguments, also for what no worker lets in. */
export function encodeArgs(functionName: string, args: unknown): string {
  if (!functionName) throw new BadArguments('give the name of a function');
  if (!isWellFormed(functionName)) {
    throw new BadArguments(
      `function name ${JSON.stringify(functionName)}: a lone surrogate cannot be written as UTF-8`,
    );
  }
  if (args === undefined) return '{}';
  if (typeof args !== 'object' || args === null || Array.isArray(args) || !isPlain(args)) {
    throw new BadArguments('args: expected one member per parameter, by name', functionName);
  }
  try {
    const text = encode(args);
    if (text.includes('"__proto__":')) refuseProto(JSON.parse(text));
    return text;
  } catch (error) {
    const { path, reason } = error as NotJson;
    throw new BadArguments(`args${path}: ${reason}`, functionName);
  }
}

/** The value of a result, whoever wrote it. Throws BadValue when it is not JSON, or not to be held exactly. */
export function decodeValue(raw: Buffer | string, options: DecodeOptions = {}): unknown {
  try {
    return decode(raw, options);
  } catch (error) {
    const { path, reason } = error as NotJson;
    throw new BadValue(`result-value${path}: ${reason}; look at what its worker wrote with \`doshit show\``);
  }
}

/** The arguments of a task, by name; no bytes at all are {}. Throws NotJson: no object, or what no worker lets in. */
export function decodeArgs(raw: Buffer | string, options: DecodeOptions = {}): Record<string, unknown> {
  if (raw.length === 0) return {};
  const plain = plainText(raw);
  const text = plain ?? textIn(raw);
  const args = plain === undefined ? read(text, options) : parse(plain);
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    throw new NotJson(undefined, 'expected an object, one member per parameter');
  }
  if (plain === undefined && (text.includes('"__proto__"') || text.includes('\\u00'))) refuseProto(args);
  return args as Record<string, unknown>;
}

/** The value of any JSON. Throws NotJson. */
export function decode(raw: Buffer | string, options: DecodeOptions = {}): unknown {
  const plain = plainText(raw);
  return plain === undefined ? read(textIn(raw), options) : parse(plain);
}

function textIn(raw: Buffer | string): string {
  if (typeof raw !== 'string' && !isUtf8(raw)) throw new NotJson(undefined, 'not UTF-8');
  return raw.toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new NotJson(undefined, `not valid JSON: ${(error as Error).message}`);
  }
}

function read(text: string, { bigint = false }: DecodeOptions): unknown {
  const value = parse(text);
  if (isTooDeep(text)) throw new NotJson(undefined, 'nested too deep');
  return ODD.test(text) ? readCarefully(text, bigint) : value;
}

/**
 * Short ASCII in which nothing can be odd: no escape, no long number, no exponent, no name with two underscores.
 *
 * Most args and results are so, and one walk over them is much cheaper than each of the looks at what is not.
 */
function plainText(raw: Buffer | string): string | undefined {
  if (raw.length > SHORT) return undefined;
  const text = typeof raw === 'string' ? raw : raw.toString('latin1');
  let digits = 0;
  let last = 0;
  for (let at = 0; at < text.length; at++) {
    const mark = text.charCodeAt(at);
    if (mark === BACKSLASH || mark >= 0x80 || (mark === UNDERSCORE && last === UNDERSCORE)) return undefined;
    const isDigit = mark >= ZERO && mark < ZERO + 10;
    if (isDigit ? digits >= LONGEST_NUMBER : digits > 0 && (mark | 0x20) === EXPONENT) return undefined;
    digits = isDigit ? digits + 1 : 0;
    last = mark;
  }
  return text;
}

/** Nothing in it is odd to JSON.stringify but, perhaps, a text. */
function isSimple(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value !== 0 || 1 / value > 0 : isFraction(value);
  if (typeof value !== 'object' || depth >= DEEPEST) return false;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) if (!isSimple(value[at], depth + 1)) return false;
    return !('toJSON' in value);
  }
  if (Object.getPrototypeOf(value) !== Object.prototype || 'toJSON' in value) return false;
  for (const name of Object.keys(value)) {
    const part = (value as Record<string, unknown>)[name];
    if (part !== undefined && !isSimple(part, depth + 1)) return false;
  }
  return true;
}

const isFraction = (value: number): boolean => Number.isFinite(value) && !Number.isInteger(value);

// A long number, an exponent of three digits, half of a surrogate pair.
const ODD = /\d{16}|[eE]\+?0*\d{3}|\\u[dD][89a-fA-F]/;

// Characters that plainText looks at, and digits of a number that no double gets wrong.
const SHORT = 256;
const LONGEST_NUMBER = 15;

const ZERO = 0x30;
const UNDERSCORE = 0x5f;
const EXPONENT = 0x65;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
// Of both kinds of brackets, but for the one bit in which they differ.
const OPENING = 0x7b;
const CLOSING = 0x7d;

/** Whether it is nested deeper than all languages can follow. JSON.parse would read it, and a walk of it would fail. */
function isTooDeep(text: string): boolean {
  if (text.length < DEEPEST) return false;
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const mark = text.charCodeAt(at);
    if (mark === QUOTE) inText = !inText;
    else if (inText) at += Number(mark === BACKSLASH);
    else if ((mark | 0x20) === OPENING && ++depth > DEEPEST) return true;
    else if ((mark | 0x20) === CLOSING) depth -= 1;
  }
  return false;
}

/** In JavaScript such a member can change every object of the process, so no language lets it in. */
function refuseProto(value: unknown, path?: Path): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    const step = { parent: path, step: Array.isArray(value) ? Number(name) : name };
    if (name === '__proto__') throw new NotJson(step, 'a member must not be named __proto__; rename it');
    refuseProto(part, step);
  }
}
