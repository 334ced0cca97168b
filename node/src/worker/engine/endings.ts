/**
 * Decides what becomes of a task when its run has ended: finished, or run again. Sends nothing itself.
 *
 *     returned a value                            -> finished, successful
 *     failed, and its policy has a retry left     -> retry
 *     failed; bad arguments; no JSON; too large   -> finished, failed, with the run's own code
 *     over a limit, ended from within or killed   -> retry, or finished: time-limit, memory-limit
 *     its process died                            -> retry, or finished: exited
 *     cancelled, running or not                   -> finished: cancelled
 *     fell with its process, worker stopping      -> release (engine.ts): no fault of the run
 */

import type { Arg } from '../../commands/index.js';
import type { ErrorCode } from '../../values/states.js';
import type { Again, Failure } from './executor.js';
import { CODES } from './limiter.js';
import type { Log } from './log.js';
import type { Notes, Told } from './notes.js';
import type { Policies } from './policies.js';
import { nameOf, type Run } from './run.js';
import { failure, type Settler } from './settler.js';

const LIMITS: readonly string[] = ['time-limit', 'memory-limit'];

/** The ends of runs, as executors tell them. */
export class Endings {
  readonly #used = new Map<Run, readonly Arg[]>();

  constructor(
    private readonly settler: Settler,
    private readonly policies: Policies,
    private readonly notes: Notes,
    private readonly log: Log,
  ) {}

  /** Takes what a run has used: seconds of CPU, bytes at most; it comes just before its end. */
  used(run: Run, cpu: number, memory: number): void {
    this.#used.set(run, ['cpu-time', cpu.toFixed(3), ...(memory > 0 ? ['memory-peak', memory] : [])]);
  }

  /** A run has returned a value. */
  returned(run: Run, json: string | Buffer): void {
    const told = this.notes.close(run);
    if (told === undefined && this.#used.size === 0) this.settler.end(run.task, [json]);
    else this.#end(run, ['result', 'successful', 'result-value', json], told);
  }

  /** A run has failed by itself, or after it was told to end. */
  failed(run: Run, { code, reason, trace, again }: Failure): void {
    const { stopping } = run;
    this.#failed(run, code, stopping && LIMITS.includes(code) ? stopping.reason : reason, trace, again);
  }

  /** The process of a run has ended under it, or it was given up. how: the signal or the exit status, for a person. */
  died(run: Run, how: string): void {
    const { stopping } = run;
    if (stopping === undefined) {
      this.#failed(run, 'exited', how, '', null);
      return;
    }
    this.#failed(run, CODES[stopping.why], `${stopping.reason}; ${how}`, '', null);
  }

  /** A task was cancelled that this worker holds and has not begun. */
  cancelled(run: Run): void {
    this.settler.end(run.task, failure('cancelled', 'cancelled before it ran'));
  }

  /** A run goes back without an end: what it has told is kept all the same. */
  forget(run: Run): void {
    this.#used.delete(run);
    this.notes.close(run);
  }

  #failed(run: Run, code: ErrorCode, reason: string, trace: string, again: Again): void {
    const wait = code === 'cancelled' ? undefined : this.policies.retryIn(run.task, code, again);
    if (wait === undefined) {
      this.log('info', `task ${nameOf(run)} failed: ${code}: ${reason}`);
      this.#end(run, failure(code, reason, trace), this.notes.close(run));
      return;
    }
    this.log('info', `task ${nameOf(run)} failed: ${code}: ${reason}; it runs again in ${wait.toFixed(1)} s`);
    const kept = JSON.stringify({ attempt: Number(String(run.task.attempts)), code, reason });
    this.#used.delete(run);
    this.#then(this.notes.close(run), () => this.settler.retry(run.task, wait, kept));
  }

  #end(run: Run, fields: Arg[], told: Told | undefined): void {
    if (told !== undefined && told.output > 0) fields.push('output', told.output);
    const used = this.#used.get(run);
    if (used !== undefined) fields.push(...used);
    this.#used.delete(run);
    this.#then(told, () => this.settler.end(run.task, fields));
  }

  #then(told: Told | undefined, settle: () => void): void {
    if (told?.sent === undefined) settle();
    else this.settler.after(told.sent, settle);
  }
}
