/** A client of a test's own, and a worker that does as it is told, by the real scripts. Runs no function. */

import { after } from 'node:test';
import type { Redis } from 'ioredis';
import { Client, type ClientOptions } from '../../src/client/index.js';
import { type Claimed, claim, finish } from '../../src/commands/index.js';
import { Transport } from '../../src/transport/index.js';
import { newPrefix, type Server } from '../helpers/server.js';
import { until } from '../helpers/until.js';

const LIVES = { resultTtl: 60, failedTtl: 60 };

/** An app of its own on a server. */
export function newApp(server: Server, options: ClientOptions = {}): Client {
  const app = new Client({ redis: server.url, prefix: newPrefix(), ...options });
  after(() => app.close());
  return app;
}

/** Ends tasks of one app. */
export class Ender {
  readonly #transport: Transport;
  readonly #plain: Redis;
  #request = 0;

  constructor(
    server: Server,
    private readonly app: Client,
  ) {
    this.#transport = new Transport(server.url, { prefix: app.prefix });
    this.#plain = server.plain();
    after(async () => {
      this.#plain.disconnect();
      await this.#transport.close();
    });
  }

  /** Takes all that waits. */
  async take(queue = this.app.queue): Promise<readonly Claimed[]> {
    const { keys } = this.app;
    await this.#plain.hset(keys.worker('w'), 'catalog', 'none');
    await this.#plain.zadd(keys.workers, 8e15, 'w');
    this.#request += 1;
    const options = { ...LIVES, maxBytes: 1e8, argsCap: 1e8 };
    const taken = await this.#transport.send(claim(keys, 'w', this.#request, 1000, [queue], options));
    return taken.tasks;
  }

  /** Takes until it has so many, and ends each with this JSON. */
  async succeed(json: string, count = 1, queue?: string): Promise<void> {
    await this.#end(count, ['result', 'successful', 'result-value', json], queue);
  }

  /** Takes until it has so many, and fails each. */
  async fail(code: string, reason: string, stack: string, count = 1): Promise<void> {
    const error = ['error-code', code, 'error-reason', reason, 'error-exception', stack];
    await this.#end(count, ['result', 'failed', ...error]);
  }

  async #end(count: number, fields: string[], queue?: string): Promise<void> {
    let left = count;
    await until(async () => {
      const tasks = await this.take(queue);
      const ends = tasks.map(({ id, claim: held }) => [id, held, fields] as const);
      if (ends.length > 0) await this.#transport.send(finish(this.app.keys, 'w', ends, LIVES));
      left -= tasks.length;
      return left <= 0;
    });
  }

  /** Ends a task as a foreign worker does, without a word to anybody when `silent`. */
  async succeedPlainly(id: string, json: string, { silent = false } = {}): Promise<void> {
    const key = this.app.keys.task(id);
    await this.#plain.hset(key, { state: 'finished', result: 'successful', 'result-value': json });
    if (!silent) await this.#plain.publish(this.app.keys.results, key);
  }
}

/** The app has waited once: from now on its tasks name its own channel. */
export async function warm(app: Client, ender: Ender): Promise<void> {
  const handle = await app.enqueue('warm-up');
  const waiting = handle.result({ timeout: 60 });
  await ender.succeed('1');
  await waiting;
}
