/** Measures what a run has used of the machine, where that is worth telling. Knows one run at a time. */

import type { Job } from '../engine/executor.js';
import { peakBytes, resetPeak, residentBytes } from '../process.js';

const LONG = 100; // ms of a run from which its use of the processor is told without being asked for
const SHORT = 1; // ms of a run that says its function need not be measured: that would cost as much as it

/** Seconds of processor time, and the most bytes that were added; 0: not measured. */
export interface Used {
  readonly cpu: number;
  readonly memory: number;
}

/** The use of the run that is under way. */
export class Usage {
  readonly #short = new Set<string>();
  #beganAt = 0;
  #cpu: NodeJS.CpuUsage | undefined;
  #resident = 0;

  begin(job: Job): void {
    const isLimited = limited(job);
    this.#beganAt = performance.now();
    this.#cpu = isLimited || !this.#short.has(job.function) ? process.cpuUsage() : undefined;
    if (!isLimited) return;
    resetPeak();
    this.#resident = residentBytes(process.pid);
  }

  /** undefined: nothing that is worth telling. */
  end(job: Job): Used | undefined {
    const took = performance.now() - this.#beganAt;
    const isLimited = limited(job);
    if (took < SHORT) this.#short.add(job.function);
    else if (took >= LONG) this.#short.delete(job.function);
    if (this.#cpu === undefined || !(isLimited || took >= LONG)) return undefined;
    const { user, system } = process.cpuUsage(this.#cpu);
    const memory = isLimited ? Math.max(0, peakBytes(process.pid) - this.#resident) : 0;
    return { cpu: (user + system) / 1e6, memory };
  }
}

const limited = ({ timeLimit, memoryLimit }: Job): boolean => timeLimit !== undefined || memoryLimit !== undefined;
