/** Writes one value as JSON step by step, where JSON.stringify would lose something without a word. */

import { DEEPEST, NotJson, type Path } from './path.js';
import { isWellFormed } from './text.js';

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const HALF = 'a lone surrogate cannot be written as UTF-8';
const PAST = 'an integer past 2^53 - 1 is not exact in every language; send it as text';

/** The value as compact JSON; undefined for what an object leaves out. Throws NotJson. */
export function write(value: unknown, path?: Path, depth = 0): string | undefined {
  switch (typeof value) {
    case 'string':
      return writeText(value, path);
    case 'number':
      return writeNumber(value, path);
    case 'boolean':
      return String(value);
    case 'bigint':
      if (value > SAFE || value < -SAFE) throw new NotJson(path, PAST);
      return String(value);
    case 'undefined':
      return undefined;
    case 'object':
      if (value === null) return 'null';
      if (depth >= DEEPEST) throw new NotJson(undefined, 'nested too deep, or it holds itself');
      return writeObject(value, path, depth);
    default:
      throw new NotJson(path, `a ${typeof value} is not JSON`);
  }
}

function writeText(text: string, path: Path): string {
  if (!isWellFormed(text)) throw new NotJson(path, HALF);
  return JSON.stringify(text);
}

function writeNumber(value: number, path: Path): string {
  if (!Number.isFinite(value)) throw new NotJson(path, 'NaN and Infinity are not JSON');
  if (Object.is(value, -0)) return '-0.0';
  // From 1e21 on it is written with an exponent, so nobody takes it for an integer.
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21) throw new NotJson(path, PAST);
  return JSON.stringify(value);
}

function writeObject(value: object, path: Path, depth: number): string | undefined {
  if (Array.isArray(value)) return writeArray(value, path, depth);
  if (value instanceof Uint8Array)
    return `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"`;
  if (value instanceof Date && Number.isNaN(value.getTime())) throw new NotJson(path, 'an invalid Date is not JSON');
  if (value instanceof String || value instanceof Number || value instanceof Boolean) {
    return write(value.valueOf(), path, depth);
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return write(toJSON.call(value, String(path?.step ?? '')), path, depth + 1);
  if (!isPlain(value)) throw new NotJson(path, `an object of class ${nameOf(value)} is not JSON`);
  return writeMembers(value, path, depth);
}

function writeArray(items: readonly unknown[], path: Path, depth: number): string {
  const parts: string[] = [];
  for (let at = 0; at < items.length; at++) {
    parts.push(write(items[at], { parent: path, step: at }, depth + 1) ?? 'null');
  }
  return `[${parts.join(',')}]`;
}

function writeMembers(value: object, path: Path, depth: number): string {
  const parts: string[] = [];
  for (const [name, part] of Object.entries(value)) {
    const step = { parent: path, step: name };
    const written = write(part, step, depth + 1);
    if (!isWellFormed(name)) throw new NotJson(path, `a member name: ${HALF}`);
    if (written !== undefined) parts.push(`${JSON.stringify(name)}:${written}`);
  }
  return `{${parts.join(',')}}`;
}

/** Whether its members are all there is to an object. One of another realm has another Object.prototype. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function nameOf(value: object): string {
  const made: unknown = value.constructor;
  return typeof made === 'function' && made.name ? made.name : 'unknown';
}
