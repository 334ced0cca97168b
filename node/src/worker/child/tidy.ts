/** Ends the processes that a run has left behind. Looks only after runs that have started some. */

import childProcess from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { syncBuiltinESMExports } from 'node:module';
import { familyOf, isAlive, killBelow, MARK } from '../process.js';

const PATIENCE = 200; // ms for killed processes to be gone
const still = new Int32Array(new SharedArrayBuffer(4));

/** Made before the user's code is imported. */
export class Tidy {
  #hasStarted = false;
  #spared: ReadonlySet<number> = new Set();

  constructor() {
    subscribe('child_process', () => {
      this.#hasStarted = true;
    });
    this.#watch('spawnSync');
    this.#watch('execSync');
    this.#watch('execFileSync');
    syncBuiltinESMExports();
  }

  // What a call has started may go on when the call is over. A native module that starts processes is not seen.
  #watch(name: 'spawnSync' | 'execSync' | 'execFileSync'): void {
    const original = childProcess[name] as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]): unknown => {
      this.#hasStarted = true;
      return original(...args);
    };
    childProcess[name] = watched as never;
  }

  /** What the import has started is no run's. */
  imported(): void {
    if (this.#hasStarted) this.#spared = familyOf(process.pid, mark());
    this.#hasStarted = false;
  }

  /** A run is over: nothing of it goes on when this returns. */
  after(): void {
    if (!this.#hasStarted) return;
    this.#hasStarted = false;
    const killed = [...killBelow(process.pid, mark(), this.#spared)];
    for (let ms = 0; ms < PATIENCE && killed.some(isAlive); ms++) Atomics.wait(still, 0, 0, 1);
  }
}

const mark = (): string => process.env[MARK] ?? '';
