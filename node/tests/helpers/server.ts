/** Starts servers for tests, each private to one run and ended with it. Never touches a server it did not start. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Redis } from 'ioredis';
import { serverBinary } from './binary.js';
import { until } from './until.js';

/** persist: keep data in a file, for a restart. port: TCP on loopback too. settings: lines of the configuration. */
export interface ServerOptions {
  readonly persist?: boolean;
  readonly port?: number;
  readonly settings?: readonly string[];
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A server of this test's own, in a folder of its own. */
export class Server {
  readonly folder = mkdtempSync(join(tmpdir(), 'doshit-'));
  readonly socket = join(this.folder, 's');
  readonly url = `unix://${this.socket}`;
  #child: ChildProcess | undefined;

  constructor(private readonly options: ServerOptions = {}) {}

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts it, again if it was killed. It is seen to be our child before anybody may write to it. */
  async start(): Promise<this> {
    const { persist = false, port = 0, settings = [] } = this.options;
    const words = ['--unixsocket', this.socket, '--unixsocketperm', '700', '--dir', this.folder, '--save', ''];
    words.push('--port', String(port), '--bind', '127.0.0.1', '--appendonly', persist ? 'yes' : 'no', ...settings);
    const child = spawn(serverBinary(), words, { stdio: 'ignore' });
    running.add(child);
    child.once('exit', () => running.delete(child));
    this.#child = child;
    await until(() => this.#isOurs(), { what: `a server in ${this.folder}` });
    return this;
  }

  async #isOurs(): Promise<boolean> {
    if (this.#child?.exitCode !== null) throw new Error('the server has ended by itself');
    const plain = this.plain();
    try {
      const info = String(await plain.call('INFO', 'server'));
      return info.includes(`process_id:${this.pid}\r\n`);
    } catch {
      return false;
    } finally {
      plain.disconnect();
    }
  }

  /** A plain client, as any producer might have one. Its owner closes it. */
  plain(): Redis {
    const plain = new Redis({ path: this.socket, protocol: 2, retryStrategy: null, disableClientInfo: true });
    plain.on('error', () => {}); // told by the promise of the command as well
    return plain;
  }

  /** Runs one command: text replies as text. */
  async run(...words: (string | Buffer | number)[]): Promise<unknown> {
    const plain = this.plain();
    try {
      const [name, ...args] = words as [string, ...(string | Buffer | number)[]];
      return await plain.call(name, args);
    } finally {
      plain.disconnect();
    }
  }

  /** Empties it. */
  async flush(): Promise<void> {
    await this.run('FLUSHALL');
  }

  /** Kills it without a word. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Ends it and removes its folder. */
  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A running server for one file of tests, ended after the last of them. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const server = await new Server(options).start();
  after(() => server.end());
  return server;
}

let prefixes = 0;

/** An application prefix that no other test has. */
export function newPrefix(): string {
  prefixes += 1;
  return `test-${process.pid}-${prefixes}`;
}
