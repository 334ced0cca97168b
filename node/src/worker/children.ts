/** The parent's end of one child: its process, what is said to it, and how it ended. Knows no task's meaning. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Who } from './child/watchdog.js';
import { FrameReader, KIND, Packer, type Payload, type Setup } from './wire.js';

const ENTRY = fileURLToPath(new URL('./child/main.js', import.meta.url));
const ANSWER_WITHIN = 600; // ms that a watchdog has to say who is to blame
const DRAIN_WITHIN = 500; // ms after its end in which a child's last words must have come
const END_WITHIN = 1000; // ms that a child has to end by itself

/** Hears one child. ended comes once, after everything that it has said. */
export interface Ears {
  frame(kind: number, payload: Payload): void;
  /** how: the signal or the exit status, one line. */
  ended(how: string): void;
}

/** output: where its stdout and stderr go; flags: of node itself. */
export interface ChildOptions {
  readonly output?: 'inherit' | 'pipe';
  readonly flags?: readonly string[];
}

/** A process that runs handlers, in a process group of its own. */
export class Child {
  readonly process: ChildProcess;
  readonly #channel: Duplex;
  readonly #watchdog: Duplex;
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
    { output = 'inherit', flags = [] }: ChildOptions = {},
  ) {
    this.#reader = new FrameReader((kind, payload) => ears.frame(kind, payload));
    // A group of its own: a Ctrl-C at the terminal is for the parent, and all below it can be ended with it.
    this.process = spawn(process.execPath, [...process.execArgv, ...flags, ENTRY], {
      stdio: ['ignore', output, output, 'pipe', 'pipe'],
      detached: true,
    });
    [this.#channel, this.#watchdog] = this.process.stdio.slice(3) as unknown as [Duplex, Duplex];
    this.#listen();
    this.say((packer) => packer.begin(KIND.SETUP).text(JSON.stringify(setup)).end());
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  #listen(): void {
    this.#channel.on('data', (data: Buffer) => this.#hear(data));
    for (const stream of [this.#channel, this.#watchdog]) stream.on('error', () => {}); // told by its end
    this.#channel.once('close', () => this.#end());
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

  #exited(how: string): void {
    this.#how = how;
    if (this.#channel.destroyed) this.#end();
    else setTimeout(() => this.#end(), DRAIN_WITHIN).unref();
  }

  #end(): void {
    if (this.#isOver || this.#how === undefined) return;
    this.#isOver = true;
    this.#signalGroup(); // what its runs have started
    this.#channel.destroy();
    this.#watchdog.destroy();
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
      if (!this.#channel.destroyed) this.#channel.write(this.#packer.take());
    });
  }

  /** Asks its watchdog whose code keeps its event loop busy; undefined: no answer in time. */
  async ask(): Promise<Who | undefined> {
    if (this.#isOver) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ANSWER_WITHIN);
      this.#watchdog.once('data', (line: Buffer) => {
        clearTimeout(timer);
        resolve(whoIn(line));
      });
      this.#watchdog.write('?');
    });
  }

  /** Ends it and its process group by SIGKILL. */
  kill(): void {
    if (!this.#isOver) this.#signalGroup();
  }

  #signalGroup(): void {
    const { pid } = this.process;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.process.kill('SIGKILL');
    }
  }

  /** Has it end by itself, by force where it does not. Settles when it is there no more. */
  async close(): Promise<void> {
    this.#channel.end();
    const timer = setTimeout(() => this.kill(), END_WITHIN);
    await this.over;
    clearTimeout(timer);
  }
}

function whoIn(line: Buffer): Who | undefined {
  try {
    return JSON.parse(String(line)) as Who;
  } catch {
    return undefined;
  }
}
