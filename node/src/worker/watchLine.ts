/** The parent's end of the line to a child's watchdog, which answers also while the child's main thread cannot. */

import type { Duplex } from 'node:stream';
import type { Answer, Who } from './child/watchdog.js';

type Awaited = { readonly [Name in keyof Answer]-?: ((told: Answer[Name] | undefined) => void)[] };

/** Questions and answers, one line each. */
export class WatchLine {
  readonly #awaited: Awaited = { who: [], begun: [] };
  #text = '';

  constructor(private readonly stream: Duplex) {
    stream.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    stream.on('error', () => {}); // told by its end
    stream.once('close', () => this.#end());
  }

  /** Whose code keeps the event loop busy? undefined: it has ended. */
  who(): Promise<Who | undefined> {
    return this.#ask('who', 'who');
  }

  /** Takes back all up to the `last`th job that has not begun. How many of them are the child's for good? */
  takeBack(last: number): Promise<number | undefined> {
    return this.#ask('begun', `back ${last}`);
  }

  // However late an answer comes, it counts: what it tells has been done.
  #ask<Name extends keyof Answer>(name: Name, line: string): Promise<Answer[Name] | undefined> {
    return new Promise((resolve) => {
      if (this.stream.destroyed) {
        resolve(undefined);
        return;
      }
      (this.#awaited[name] as ((told: Answer[Name] | undefined) => void)[]).push(resolve);
      this.stream.write(`${line}\n`);
    });
  }

  #end(): void {
    for (const hear of [...this.#awaited.who.splice(0), ...this.#awaited.begun.splice(0)]) hear(undefined);
  }

  #hear(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop()!;
    for (const line of lines) this.#answer(line);
  }

  #answer(line: string): void {
    let answer: Answer;
    try {
      answer = JSON.parse(line) as Answer;
    } catch {
      return; // code of the user's has written here; nobody is helped by it
    }
    if (answer.who !== undefined) this.#awaited.who.shift()?.(answer.who);
    if (answer.begun !== undefined) this.#awaited.begun.shift()?.(answer.begun);
  }
}
