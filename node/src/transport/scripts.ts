/** Runs scripts by their SHA1 on one connection, and sends the text of one that the server lacks. */

import type { Arg, Call } from '../commands/index.js';
import { Refusal } from './faults.js';
import type { Link } from './link.js';

/** Remembers which texts are under way, so that of a thousand calls only one sends it. */
export class Scripts {
  readonly #loading = new Set<string>();

  /**
   * The reply of a call. Throws Refusal or LinkLost.
   *
   * Calls are answered in the order in which they were sent, also those that found their text missing: each way through
   * here awaits one promise of the link behind the others.
   */
  async run<T>(link: Link, call: Call<T>): Promise<unknown> {
    const { sha } = call.script;
    // Again behind a text that is under way, which is there when this comes.
    for (let tries = 0; tries === 0 || (tries === 1 && this.#loading.has(sha)); tries += 1) {
      try {
        return await link.call(byHash(call));
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    return await this.#load(link, call);
  }

  #load<T>(link: Link, call: Call<T>): Promise<unknown> {
    const { sha, source } = call.script;
    const loading = link.call(words('EVAL', source, call));
    const loaded = () => this.#loading.delete(sha);
    this.#loading.add(sha);
    loading.then(loaded, loaded);
    return loading;
  }
}

/** The command that runs a script which the server has. */
export function byHash<T>(call: Call<T>): Arg[] {
  return words('EVALSHA', call.script.sha, call);
}

function words<T>(command: string, script: string, { key, args }: Call<T>): Arg[] {
  return [command, script, 1, key, ...args];
}

function isMissing(error: unknown): boolean {
  return error instanceof Refusal && error.is('NOSCRIPT');
}
