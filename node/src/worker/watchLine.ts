/** The parent's end of the line to a child's watchdog, which answers also while the child's main thread cannot. */

import type { Duplex } from 'node:stream';
import type { Answer, Who } from './child/watchdog.js';

const ANSWER_WITHIN = 1000; // ms that a watchdog has

type Awaited = { readonly [Name in keyof Answer]-?: ((told: NonNullable<Answer[Name]>) => void)[] };

/** Questions and answers, one line each. */
export class WatchLine {
  readonly #awaited: Awaited = { who: [], begun: [] };
  #text = '';

  constructor(private readonly stream: Duplex) {
    stream.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    stream.on('error', () => {}); // told by its end
  }

  /** Whose code keeps the event loop busy? undefined: no answer in time. */
  who(): Promise<Who | undefined> {
    return this.#ask('who', 'who');
  }

  /** Takes back all up to the job given as the `last`th that has not begun. How many of them are the child's for good? */
  takeBack(last: number): Promise<number | undefined> {
    return this.#ask('begun', `back ${last}`);
  }

  #ask<Name extends keyof Answer>(name: Name, line: string): Promise<NonNullable<Answer[Name]> | undefined> {
    return new Promise((resolve) => {
      const awaited = this.#awaited[name] as ((told: NonNullable<Answer[Name]>) => void)[];
      const timer = setTimeout(() => {
        awaited.splice(awaited.indexOf(hear), 1);
        resolve(undefined);
      }, ANSWER_WITHIN);
      const hear = (told: NonNullable<Answer[Name]>): void => {
        clearTimeout(timer);
        resolve(told);
      };
      awaited.push(hear);
      this.stream.write(`${line}\n`);
    });
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
