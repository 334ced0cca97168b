/** The parent's end of one child: its process, what is said to it, and how it ended. Knows no task's meaning. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Who } from './child/watchdog.js';
import { killBelow, killFamily, MARK } from './process.js';
import { WatchLine } from './watchLine.js';
import { FrameReader, KIND, Packer, type Payload, type Setup } from './wire.js';

const ENTRY = fileURLToPath(new URL('./child/main.js', import.meta.url));
const ANSWER_WITHIN = 1000; // ms that a watchdog has to say who is to blame
const DRAIN_WITHIN = 500; // ms after its end in which a child's last words must have come
const END_WITHIN = 1000; // ms that a child has to end by itself

/** Hears one child. ended comes once, after everything that it has said. */
export interface Ears {
  frame(kind: number, payload: Payload): void;
  /** how: the signal or the exit status, one line. */
  ended(how: string): void;
  /** What was written to its stdout and stderr, if that is to be heard and not shown. */
  readonly output?: ((stream: 'stdout' | 'stderr', data: Buffer) => void) | undefined;
}

let families = 0;

/** A process that runs handlers, in a process group of its own. */
export class Child {
  readonly process: ChildProcess;
  // Two lines: a write to one whose end has died destroys it, and with it the last words that were not read yet.
  readonly #channel: Duplex;
  readonly #orders: Duplex;
  readonly #watchdog: WatchLine;
  // What all that it starts inherits.
  readonly #mark = `${process.pid}.${++families}.${randomBytes(6).toString('hex')}`;
  readonly #packer = new Packer();
  readonly #reader: FrameReader;
  #isFlushing = false;
  #how: string | undefined;
  #isOver = false;
  #onOver!: () => void;
  /** Settles when it is there no more. */
  readonly over = new Promise<void>((resolve) => {
    this.#onOver = resolve;
  });

  constructor(
    setup: Setup,
    private readonly ears: Ears,
  ) {
    const output = ears.output === undefined ? 'inherit' : 'pipe';
    this.#reader = new FrameReader((kind, payload) => ears.frame(kind, payload));
    // A group of its own: a Ctrl-C at the terminal is for the parent, and all below it can be ended with it.
    this.process = spawn(process.execPath, [...process.execArgv, ENTRY], {
      stdio: ['ignore', output, output, 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, [MARK]: this.#mark },
      detached: true,
    });
    const [channel, watchdog, orders] = this.process.stdio.slice(3) as unknown as [Duplex, Duplex, Duplex];
    this.#channel = channel;
    this.#orders = orders;
    this.#watchdog = new WatchLine(watchdog);
    this.#listen(watchdog);
    this.say((packer) => packer.begin(KIND.SETUP).text(JSON.stringify(setup)).end());
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  #listen(watchdog: Duplex): void {
    this.#channel.on('data', (data: Buffer) => this.#hear(data));
    for (const stream of [this.#channel, this.#orders]) stream.on('error', () => {}); // told by its end
    this.#orders.resume(); // nothing is said on it, but its end is
    for (const name of ['stdout', 'stderr'] as const) {
      this.process[name]?.on('data', (data: Buffer) => this.ears.output?.(name, data)).on('error', () => {});
    }
    this.#channel.once('close', () => this.#end());
    for (const line of [this.#orders, watchdog]) line.once('close', () => this.#hasLost());
    this.process.once('error', (error) => this.#exited(`it could not be started: ${error.message}`));
    this.process.once('exit', (code, signal) =>
      this.#exited(signal === null ? `it exited with status ${code}` : `it was ended by ${signal}`),
    );
  }

  #hear(data: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#reader.feed(data);
    } catch {
      this.#channel.removeAllListeners('data').resume();
      this.kill();
    }
  }

  // A line ends with the process, or code of the user's has closed it: then it neither hears nor can be asked any more.
  #hasLost(): void {
    setTimeout(() => this.kill(), END_WITHIN).unref();
  }

  #exited(how: string): void {
    this.#how = how;
    if (this.#channel.destroyed) this.#end();
    else setTimeout(() => this.#end(), DRAIN_WITHIN).unref();
  }

  #end(): void {
    if (this.#isOver || this.#how === undefined) return;
    this.#isOver = true;
    if (this.pid !== undefined) killBelow(this.pid, this.#mark); // what its runs have started
    for (const stream of this.process.stdio) stream?.destroy();
    this.ears.ended(this.#how);
    this.#onOver();
  }

  /** Says something; all that is said in one turn goes in one write. */
  say(pack: (packer: Packer) => void): void {
    if (this.#isOver) return;
    pack(this.#packer);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      if (!this.#orders.destroyed) this.#orders.write(this.#packer.take());
    });
  }

  /** Asks its watchdog whose code keeps its event loop busy; undefined: no answer in time. */
  who(): Promise<Who | undefined> {
    return Promise.race([this.#watchdog.who(), pause(ANSWER_WITHIN, undefined, { ref: false })]);
  }

  /** Takes back all up to the `last`th job that has not begun. How many of them are its own? undefined: it has ended. */
  takeBack(last: number): Promise<number | undefined> {
    return this.#watchdog.takeBack(last);
  }

  /** Ends it and its family by SIGKILL. */
  kill(): void {
    if (!this.#isOver && this.pid !== undefined) killFamily(this.pid, this.#mark);
  }

  /** Has it end by itself, by force where it does not. Settles when it is there no more. */
  async close(): Promise<void> {
    this.#orders.end();
    const timer = setTimeout(() => this.kill(), END_WITHIN);
    await this.over;
    clearTimeout(timer);
  }
}
