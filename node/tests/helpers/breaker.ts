/** Stands between a client and its server, and breaks connections on purpose. Reads no command but by its bytes. */

import { createConnection, createServer, type Server as Listener, type Socket } from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Server } from './server.js';
import { until } from './until.js';

let breakers = 0;

/** A unix socket before that of a server. */
export class Breaker {
  readonly url: string;
  /** How many connections were made. */
  connections = 0;
  readonly #pairs = new Set<readonly [near: Socket, far: Socket]>();
  readonly #listener: Listener;
  #losing: string | undefined;
  #lost = 0;
  #refusing = false;

  private constructor(socket: string, far: string) {
    this.url = `unix://${socket}`;
    this.#listener = createServer((near) => this.#join(near, createConnection(far)));
    this.#listener.listen(socket);
  }

  /** A breaker that ends with the tests of this file. */
  static before(server: Server): Breaker {
    breakers += 1;
    const breaker = new Breaker(join(server.folder, `p${breakers}`), server.socket);
    after(() => breaker.end());
    return breaker;
  }

  /** The next request with this text in it reaches the server, but its connection is cut before the reply. */
  loseReplyTo(text: string): void {
    this.#losing = text;
  }

  /** Waits until a reply was lost. */
  async hasLost(): Promise<void> {
    await until(() => this.#lost > 0, { what: 'the loss of a reply' });
  }

  /** Cuts every connection. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** From now on nothing passes on what is connected, and nothing is said about it; new connections are well. */
  silence(): void {
    for (const [near, far] of this.#pairs) {
      near.removeAllListeners('data');
      far.removeAllListeners('data');
    }
  }

  /** Cuts every connection and closes new ones at once; refuse(false): takes them again. */
  refuse(refused = true): void {
    this.#refusing = refused;
    if (refused) this.cut();
  }

  end(): void {
    this.cut();
    this.#listener.close();
  }

  #join(near: Socket, far: Socket): void {
    this.connections += 1;
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const one of pair) one.on('error', () => {}).on('close', end);
    if (this.#refusing) end();
    else this.#pass(near, far);
  }

  #pass(near: Socket, far: Socket): void {
    let losing = false;
    near.on('data', (data) => {
      losing ||= this.#losing !== undefined && data.includes(this.#losing);
      if (losing) this.#losing = undefined;
      far.write(data);
    });
    far.on('data', (data) => {
      if (!losing) return void near.write(data);
      this.#lost += 1;
      near.destroy();
    });
  }
}
