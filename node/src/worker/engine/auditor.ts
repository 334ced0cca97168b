/** Compares what Redis says this worker holds with what it knows, and gives back what it does not know. Runs nothing. */

import { release } from '../../commands/index.js';
import type { Keys } from '../../values/keys.js';
import type { Log } from './log.js';
import type { Session } from './session.js';

const TWICE = 2; // beats in a row that must disagree: one may have met a call on its way

/** What an auditor asks. */
export interface Books {
  worker(): string;
  /** The ids this worker knows to hold, their bytes as latin1. */
  known(): ReadonlySet<string>;
  /** Is nothing on its way that would change them? */
  quiet(): boolean;
  /** May the reply with this claim be on its way all the same? That of a wait always may. */
  coming(claim: Buffer): boolean;
}

/** The audit of one worker. */
export class Auditor {
  #strange = 0;
  // The claims that the look before found strange, as latin1: what ended just then is not strange twice.
  #suspected: ReadonlySet<string> = new Set();

  constructor(
    private readonly session: Session,
    private readonly keys: Keys,
    private readonly books: Books,
    private readonly log: Log,
  ) {}

  /** Takes what a beat answered: how many tasks Redis says this worker holds. */
  compare(held: number): void {
    const differs = this.books.quiet() && held > this.books.known().size;
    this.#strange = differs ? this.#strange + 1 : 0;
    if (this.#strange < TWICE) return;
    this.#strange = 0;
    this.#giveBack(this.books.worker()).catch(() => {}); // refused: the next beats will differ again
  }

  async #giveBack(worker: string): Promise<void> {
    const [reply] = (await this.session.commands([['HGETALL', this.keys.held(worker)]])) as [Buffer[]];
    if (!this.books.quiet()) return;
    const known = this.books.known();
    const suspected = new Set<string>();
    const strange = [];
    for (let at = 0; at < reply.length; at += 2) {
      const [id, value] = [reply[at]!, reply[at + 1]!];
      const claim = value.subarray(0, value.indexOf(' '));
      if (known.has(id.toString('latin1')) || this.books.coming(claim)) continue;
      suspected.add(claim.toString('latin1'));
      if (this.#suspected.has(claim.toString('latin1'))) strange.push([id, claim, '', false] as const);
    }
    this.#suspected = suspected;
    if (strange.length === 0) return;
    this.log('warning', `${strange.length} tasks are held in this worker's name that it does not know; they go back`);
    await this.session.call(release(this.keys, worker, strange));
  }
}
