/** Reads valid JSON step by step, where JSON.parse would lose something without a word. Judges no syntax and no depth. */

import { NotJson, type Path } from './path.js';
import { isWellFormed } from './text.js';

const SPACE = /[ \t\n\r]*/y;
const WORD = /[^ \t\n\r,\]}]+/y;
// What a number may have: more makes BigInt slow, and nobody counts so far.
const MOST_DIGITS = 4300;

/** The value of a text that JSON.parse takes. bigint: integers that a number cannot hold become BigInts. */
export function readCarefully(text: string, bigint: boolean): unknown {
  return new Reader(text, bigint).value(undefined);
}

class Reader {
  #at = 0;

  constructor(
    private readonly text: string,
    private readonly bigint: boolean,
  ) {}

  value(path: Path): unknown {
    switch (this.#peek()) {
      case '{':
        return this.#object(path);
      case '[':
        return this.#array(path);
      case '"':
        return this.#string(path);
      default:
        return this.#word(path);
    }
  }

  #object(path: Path): object {
    const members: [string, unknown][] = [];
    this.#at += 1;
    while (this.#peek() !== '}') {
      const step = { parent: path, step: this.#string(path) };
      this.#skip(':');
      members.push([step.step, this.value(step)]);
      this.#skip(',');
    }
    this.#at += 1;
    // Not by assignment: that of __proto__ would change what the object is.
    return Object.fromEntries(members);
  }

  #array(path: Path): unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    while (this.#peek() !== ']') {
      items.push(this.value({ parent: path, step: items.length }));
      this.#skip(',');
    }
    this.#at += 1;
    return items;
  }

  #string(path: Path): string {
    let end = this.text.indexOf('"', this.#at + 1);
    while (this.#isEscaped(end)) end = this.text.indexOf('"', end + 1);
    const text: string = JSON.parse(this.text.slice(this.#at, end + 1));
    if (!isWellFormed(text)) throw new NotJson(path, 'a lone surrogate is not text');
    this.#at = end + 1;
    return text;
  }

  #isEscaped(quote: number): boolean {
    let slashes = 0;
    while (this.text[quote - slashes - 1] === '\\') slashes += 1;
    return slashes % 2 === 1;
  }

  #word(path: Path): unknown {
    WORD.lastIndex = this.#at;
    const word = WORD.exec(this.text)![0];
    this.#at = WORD.lastIndex;
    const value: unknown = JSON.parse(word);
    return typeof value === 'number' ? this.#number(word, value, path) : value;
  }

  #number(word: string, value: number, path: Path): number | bigint {
    if (!Number.isFinite(value) || word.length > MOST_DIGITS) throw new NotJson(path, 'number out of range');
    if (Number.isSafeInteger(value) || /[.eE]/.test(word)) return value;
    if (this.bigint) return BigInt(word);
    throw new NotJson(path, 'an integer past 2^53 - 1, which a number of JavaScript cannot hold exactly');
  }

  #peek(): string {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.text)![0].length;
    return this.text[this.#at]!;
  }

  #skip(mark: string): void {
    if (this.#peek() === mark) this.#at += 1;
    this.#peek();
  }
}
