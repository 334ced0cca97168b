/** Runs scripts by their SHA1 on one connection, and sends the text of one that the server lacks. */

import type { Arg, Call } from '../commands/index.js';
import { Refusal } from './faults.js';
import type { Link } from './link.js';

/** Remembers which texts are under way, so that of a thousand calls only one sends it. */
export class Scripts {
  readonly #loading = new Map<string, Promise<unknown>>();

  /** The reply of a call. Throws Refusal or LinkLost. */
  async run<T>(link: Link, call: Call<T>): Promise<unknown> {
    try {
      return await link.call(words('EVALSHA', call.script.sha, call));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await this.#loading.get(call.script.sha)?.catch(() => {});
    if (!this.#loading.has(call.script.sha)) return this.#load(link, call);
    return link.call(words('EVALSHA', call.script.sha, call)).catch((error) => {
      if (isMissing(error)) return this.#load(link, call);
      throw error;
    });
  }

  #load<T>(link: Link, call: Call<T>): Promise<unknown> {
    const { sha, source } = call.script;
    const loading = link.call(words('EVAL', source, call)).finally(() => this.#loading.delete(sha));
    this.#loading.set(sha, loading);
    return loading;
  }
}

function words<T>(command: string, script: string, { key, args }: Call<T>): Arg[] {
  return [command, script, 1, key, ...args];
}

function isMissing(error: unknown): boolean {
  return error instanceof Refusal && error.is('NOSCRIPT');
}
