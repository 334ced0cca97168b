/** Hears every message under the prefix of the vectors; a message of its own marks the end of a step. */

import type { Redis } from 'ioredis';
import type { Server } from '../helpers/server.js';
import { until } from '../helpers/until.js';
import { toRaw } from './vectors.js';

const END_OF_STEP = 'doshit:end-of-step';

export class Listener {
  readonly #subscriber: Redis;
  readonly #messages: string[][] = [];

  private constructor(
    private readonly plain: Redis,
    subscriber: Redis,
  ) {
    this.#subscriber = subscriber;
    subscriber.on('pmessageBuffer', (_pattern: string, channel: Buffer, payload: Buffer) =>
      this.#messages.push(toRaw([channel, payload])),
    );
  }

  static async open(server: Server, plain: Redis): Promise<Listener> {
    const listener = new Listener(plain, server.plain());
    await listener.#subscriber.psubscribe('doshit:*');
    return listener;
  }

  /** [channel, payload] of every message since the last call, in order. */
  async heard(): Promise<string[][]> {
    await this.plain.call('PUBLISH', END_OF_STEP, '');
    const end = () => this.#messages.findIndex(([channel]) => channel === END_OF_STEP);
    await until(() => end() >= 0, { what: 'the message that ends a step' });
    return this.#messages.splice(0, end() + 1).slice(0, -1);
  }

  close(): void {
    this.#subscriber.disconnect();
  }
}
