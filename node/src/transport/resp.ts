/** The wire of Redis (RESP2): words to bytes, and bytes to replies. Knows no socket and no command. */

import { isAscii } from 'node:buffer';
import type { Arg } from '../commands/index.js';
import { Refusal } from './faults.js';

// Ids and claims come as bytes and are short; as text they cost half as much.
const SHORT = 256;

/** One command as text, or as bytes where a word of it is bytes that are no short ASCII. */
export function encode(words: readonly Arg[]): string | Buffer {
  let text = `*${words.length}\r\n`;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (typeof word === 'string') text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
    else if (typeof word === 'number') {
      const digits = String(word);
      text += `$${digits.length}\r\n${digits}\r\n`;
    } else if (word.length <= SHORT && isAscii(word)) {
      text += `$${word.length}\r\n${word.toString('latin1')}\r\n`;
    } else return encodeBytes(words);
  }
  return text;
}

function encodeBytes(words: readonly Arg[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, END);
  }
  return Buffer.concat(parts);
}

const END = Buffer.from('\r\n');
const CR = 0x0d;
const LF = 0x0a;
// What is not whole yet.
const MORE: unique symbol = Symbol('more');

/** Reads replies out of what arrives in pieces: Buffers, numbers, null, a Refusal, and arrays of these. */
export class Reader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #pieces: Buffer[] = [];
  #waiting = 0;
  #wanted = 0;

  constructor(private readonly onReply: (reply: unknown) => void) {}

  /** Takes in the next piece. Throws Error for what is no RESP2. */
  feed(piece: Buffer): void {
    if (this.#waiting > 0) {
      this.#pieces.push(piece);
      this.#waiting += piece.length;
      if (this.#waiting < this.#wanted) return;
      piece = Buffer.concat(this.#pieces, this.#waiting);
    }
    this.#bytes = piece;
    this.#at = 0;
    let whole = 0;
    while (this.#at < piece.length) {
      this.#wanted = 0;
      const reply = this.#reply();
      if (reply === MORE) break;
      whole = this.#at;
      this.onReply(reply);
    }
    this.#waiting = piece.length - whole;
    this.#pieces = this.#waiting > 0 ? [piece.subarray(whole)] : [];
    this.#wanted -= whole;
  }

  #reply(): unknown {
    const kind = this.#bytes[this.#at];
    switch (kind) {
      case 0x24:
        return this.#bulk(this.#number());
      case 0x2a:
        return this.#array(this.#number());
      case 0x3a:
        return this.#number();
      case 0x2b:
      case 0x2d:
        return this.#line(kind === 0x2d);
      case undefined:
        return MORE;
      default:
        throw new Error('the server does not speak RESP2');
    }
  }

  #line(isRefusal: boolean): unknown {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    const end = bytes.indexOf(LF, start);
    if (end < 0) return MORE;
    this.#at = end + 1;
    return isRefusal ? new Refusal(bytes.toString('utf8', start, end - 1)) : bytes.subarray(start, end - 1);
  }

  // Digits are walked over: to look for the end of so short a line costs more than the line.
  #number(): number | typeof MORE {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    const isNegative = bytes[at] === 0x2d;
    if (isNegative) at += 1;
    let value = 0;
    for (; at < bytes.length && bytes[at] !== CR; at++) value = value * 10 + bytes[at]! - 0x30;
    if (at + 1 >= bytes.length) return MORE;
    this.#at = at + 2;
    return isNegative ? -value : value;
  }

  #bulk(size: number | typeof MORE): unknown {
    if (size === MORE) return MORE;
    if (size < 0) return null;
    const start = this.#at;
    const end = start + size;
    if (end + 2 > this.#bytes.length) {
      this.#wanted = end + 2;
      return MORE;
    }
    this.#at = end + 2;
    return this.#bytes.subarray(start, end);
  }

  #array(size: number | typeof MORE): unknown {
    if (size === MORE) return MORE;
    if (size < 0) return null;
    const items: unknown[] = new Array(size);
    for (let at = 0; at < size; at++) {
      const item = this.#reply();
      if (item === MORE) return MORE;
      items[at] = item;
    }
    return items;
  }
}
