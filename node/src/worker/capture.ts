/** Tells what of the console belongs to which run, and whose code is being performed. Keeps nothing. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { formatWithOptions } from 'node:util';

/** Takes a piece of text of one run. */
export type Write = (stream: 'stdout' | 'stderr', text: string) => void;

const METHODS = [
  ['log', 'stdout'],
  ['info', 'stdout'],
  ['debug', 'stdout'],
  ['warn', 'stderr'],
  ['error', 'stderr'],
  ['trace', 'stderr'],
] as const;

const runs = new AsyncLocalStorage<Capture>();
let isPatched = false;

/** The run of one handler, as its code is followed through whatever it awaits. */
export interface Capture {
  readonly job: unknown;
  readonly write: Write;
}

/** Performs code as part of a run. */
export function captured<T>(capture: Capture, work: () => T): T {
  patch();
  return runs.run(capture, work);
}

/** The run that the code which asks is part of; undefined outside of one, or where runs are not followed. */
export function currentRun(): Capture | undefined {
  return runs.getStore();
}

// The console still prints what it prints; a run's part of it is told to the run as well.
function patch(): void {
  if (isPatched) return;
  isPatched = true;
  for (const [method, stream] of METHODS) {
    const original = console[method];
    console[method] = function (this: unknown, ...args: unknown[]) {
      const run = runs.getStore();
      if (run !== undefined) run.write(stream, `${formatWithOptions({ colors: false }, ...args)}\n`);
      return original.apply(this ?? console, args);
    };
  }
}

/**
 * In a process that has handlers alone: what a run writes to stdout and stderr is the run's, and shown nowhere else.
 * take: false leaves the streams as they are; runs are followed all the same.
 */
export function takeStreams(take: boolean): void {
  isPatched = true; // the console writes to these streams
  if (!take) return;
  for (const stream of ['stdout', 'stderr'] as const) {
    const original = process[stream].write as (...args: unknown[]) => boolean;
    const write = (...args: unknown[]): boolean => {
      const run = runs.getStore();
      if (run === undefined) return original.apply(process[stream], args);
      run.write(stream, textOf(args[0], args[1]));
      const done = args.find((arg) => typeof arg === 'function');
      if (done !== undefined) process.nextTick(done as () => void);
      return true;
    };
    process[stream].write = write as typeof process.stdout.write;
  }
}

function textOf(chunk: unknown, encoding: unknown): string {
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString();
  const odd = typeof encoding === 'string' && !/^utf-?8$/i.test(encoding);
  return odd ? Buffer.from(String(chunk), encoding as BufferEncoding).toString() : String(chunk);
}
