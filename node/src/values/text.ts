/**
 * Bytes as text and back. What is not UTF-8 travels in text as half surrogates, one for each byte, as in Python.
 *
 * So an id is text to a user and a key of a Map, and still goes back to Redis byte for byte. Knows no Redis.
 */

import { isUtf8 } from 'node:buffer';

const ESCAPE = 0xdc00;

/** Whether text can be written as UTF-8. */
export function isWellFormed(text: string): boolean {
  return (text as WellFormed).isWellFormed();
}

// Every Node that doshit runs on has it; the types of ES2023 do not say so.
type WellFormed = string & { isWellFormed(): boolean };

/** Bytes as text: each byte that is no UTF-8 becomes a half surrogate from U+DC80 to U+DCFF. */
export function textOf(raw: Buffer): string {
  if (isUtf8(raw)) return raw.toString();
  let text = '';
  for (let at = 0; at < raw.length; ) {
    const size = sequenceAt(raw, at);
    text += size === 0 ? String.fromCharCode(ESCAPE + raw[at]!) : raw.toString('utf8', at, at + size);
    at += size || 1;
  }
  return text;
}

/** The bytes of such a text: itself where UTF-8 can write it, so that most need no copy; undefined where none can be. */
export function bytesOf(text: string): string | Buffer | undefined {
  if (isWellFormed(text)) return text;
  const parts: Buffer[] = [];
  for (const mark of text) {
    const code = mark.charCodeAt(0);
    if (isWellFormed(mark)) parts.push(Buffer.from(mark));
    else if (code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) parts.push(Buffer.of(code - ESCAPE));
    else return undefined;
  }
  return Buffer.concat(parts);
}

/** The same for text that was checked: an id, or a key with one. */
export function raw(text: string): string | Buffer {
  return bytesOf(text) ?? text;
}

/** How many bytes at this place are one character of UTF-8; 0: none. */
function sequenceAt(raw: Buffer, at: number): number {
  const first = raw[at]!;
  const size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return at + size <= raw.length && isUtf8(raw.subarray(at, at + size)) ? size : 0;
}
