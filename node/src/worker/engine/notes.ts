/** What runs tell before their end: output and progress. Gathers it and sends it on while the run is held. */

import { type Entry, type Note, note } from '../../commands/index.js';
import type { Keys } from '../../values/keys.js';
import { FAILED_TTL } from '../../values/states.js';
import { formatTimestamp } from '../../values/times.js';
import type { Log } from './log.js';
import { nameOf, type Run } from './run.js';
import type { Session } from './session.js';

const EVERY = 100; // ms between two calls for what runs tell meanwhile

/** What one run has told. captured: bytes of output so far; entries, progress: what Redis has not heard. */
interface Page {
  captured: number;
  entries: Entry[];
  progress: string;
}

/** What is left of a run that is over. sent: settles when Redis has all of it. */
export interface Told {
  readonly output: number;
  readonly sent: Promise<unknown> | undefined;
}

/** The pages of all runs. */
export class Notes {
  readonly #pages = new Map<Run, Page>();
  #sending: Promise<unknown> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** cap: bytes of output kept of one run. */
  constructor(
    private readonly session: Session,
    private readonly keys: Keys,
    private readonly worker: () => string,
    private readonly cap: number,
    private readonly log: Log,
  ) {}

  progress(run: Run, json: string): void {
    this.#page(run).progress = json;
  }

  /** at: ms since 1970. */
  output(run: Run, stream: string, text: string, at: number): void {
    const page = this.#page(run);
    const data = Buffer.from(text);
    const room = this.cap - page.captured;
    page.captured += data.length;
    if (room < 0 || this.cap === 0) return;
    const kept = data.length <= room ? text : `${wholeCharacters(data, room)}\n[more was written than is kept]\n`;
    page.entries.push([stream, formatTimestamp(new Date(at)), kept]);
    for (const line of kept.split('\n')) if (line) this.log('info', `task ${nameOf(run)} ${stream}: ${line}`);
  }

  #page(run: Run): Page {
    let page = this.#pages.get(run);
    if (page === undefined) {
      page = { captured: 0, entries: [], progress: '' };
      this.#pages.set(run, page);
      this.#timer ??= setTimeout(() => this.#tick(), EVERY);
    }
    return page;
  }

  #tick(): void {
    this.#timer = this.#pages.size > 0 ? setTimeout(() => this.#tick(), EVERY) : undefined;
    this.#send([...this.#pages]);
  }

  /** A run is over: sends what is left of it. undefined: it has told nothing. */
  close(run: Run): Told | undefined {
    const page = this.#pages.size > 0 ? this.#pages.get(run) : undefined;
    if (page === undefined) return undefined;
    this.#pages.delete(run);
    this.#send([[run, page]]);
    return { output: page.captured, sent: this.#sending };
  }

  #send(pages: readonly (readonly [Run, Page])[]): void {
    const notes: Note[] = [];
    for (const [{ task }, page] of pages) {
      if (page.entries.length === 0 && page.progress === '') continue;
      notes.push([task.id, task.claim, page.progress, page.entries]);
      page.entries = [];
      page.progress = '';
    }
    if (notes.length === 0) return;
    const options = { keep: FAILED_TTL, outputCap: this.cap };
    const sending = this.session
      .call(note(this.keys, this.worker(), notes, options))
      .catch((error) => this.log('warning', `what runs told was refused: ${error.message}`))
      .finally(() => {
        if (this.#sending === sending) this.#sending = undefined;
      });
    this.#sending = sending;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#pages.clear();
  }
}

/** The first bytes as text, without the beginning of a character that ends beyond them. */
function wholeCharacters(data: Buffer, bytes: number): string {
  let end = bytes;
  while (end > 0 && (data[end]! & 0xc0) === 0x80) end -= 1;
  return data.toString('utf8', 0, end);
}
