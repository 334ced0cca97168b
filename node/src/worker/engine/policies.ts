/** What applies to a task's runs: its hash's fields, over its function's options, under the worker's caps. No I/O. */

import type { Claimed } from '../../commands/index.js';
import { backoff } from '../../values/backoff.js';
import type { Again, Lane, Policy, Served } from './executor.js';
import { Run } from './run.js';

const SUSPECTS = 1000; // ids that are remembered
const ASKED_MOST = 100; // retries that runs may ask for themselves where nothing says how many
const NUMBER = /^\d{1,15}(\.\d{0,14})?$/;
const NOTHING: Policy = {};

/** The most that any run gets: seconds, bytes; undefined: there is no cap. */
export interface Caps {
  readonly timeLimitCap: number | undefined;
  readonly memoryLimitCap: number | undefined;
}

/** A function that is served, as most of its tasks are: none of them wishes for anything of its own. */
interface Plan {
  readonly name: string;
  readonly policy: Policy;
  readonly lane: Lane;
  readonly timeLimit: number | undefined;
  readonly memoryLimit: number | undefined;
}

/** The policies of the functions that are served. */
export class Policies {
  // By the bytes of the name as latin1, which is read faster than UTF-8 and holds any bytes.
  #plans = new Map<string, Plan>();
  #suspects = new Set<string>();
  #number = 0;
  /** Is there a process of its own to be had? Where there is none, all runs share. */
  #hasAlone = false;
  /** How many of the functions run in each lane. */
  count: Readonly<Record<Lane, number>> = { shared: 0, alone: 0 };

  constructor(private readonly caps: Caps) {}

  /** Takes what an executor serves. */
  take(functions: ReadonlyMap<string, Served>, hasAlone: boolean): void {
    this.#hasAlone = hasAlone;
    this.#plans = new Map();
    const count = { shared: 0, alone: 0 };
    for (const [name, { policy }] of functions) {
      const plan = this.#plan(name, policy);
      count[plan.lane] += 1;
      this.#plans.set(Buffer.from(name).toString('latin1'), plan);
    }
    this.count = count;
  }

  #plan(name: string, policy: Policy): Plan {
    const { timeLimitCap, memoryLimitCap } = this.caps;
    const memoryLimit = least(policy.memoryLimit, memoryLimitCap);
    const lane = this.#lane(policy.isolate === true || memoryLimit !== undefined);
    return { name, policy, lane, timeLimit: least(policy.timeLimit, timeLimitCap), memoryLimit };
  }

  #lane(alone: boolean): Lane {
    return alone && this.#hasAlone ? 'alone' : 'shared';
  }

  /** The names of the functions that are served. */
  get names(): string[] {
    return [...this.#plans.values()].map(({ name }) => name);
  }

  /** The run of a task; undefined: its function is not served here. */
  runOf(task: Claimed): Run | undefined {
    const plan = this.#plans.get(task.function.toString('latin1'));
    if (plan === undefined) return undefined;
    this.#number += 1;
    if (task.timeLimit !== null || task.memoryLimit !== null) return this.#wished(task, plan);
    const lane = this.#suspects.size > 0 && this.#isSuspect(task) ? this.#lane(true) : plan.lane;
    return new Run(this.#number, task, plan.name, lane, plan.timeLimit, plan.memoryLimit);
  }

  #wished(task: Claimed, plan: Plan): Run {
    const { timeLimitCap, memoryLimitCap } = this.caps;
    const timeLimit = least(said(task.timeLimit, plan.policy.timeLimit), timeLimitCap);
    const memoryLimit = least(said(task.memoryLimit, plan.policy.memoryLimit), memoryLimitCap);
    const lane = memoryLimit !== undefined || this.#isSuspect(task) ? this.#lane(true) : plan.lane;
    return new Run(this.#number, task, plan.name, lane, timeLimit, memoryLimit);
  }

  #isSuspect(task: Claimed): boolean {
    return this.#suspects.has(task.id.toString('latin1'));
  }

  /** One of these ended its process and nobody knows which: next time each gets a process of its own. */
  suspect(tasks: readonly Claimed[]): void {
    for (const { id } of tasks) this.#suspects.add(id.toString('latin1'));
    for (const id of this.#suspects) {
      if (this.#suspects.size <= SUSPECTS) break;
      this.#suspects.delete(id);
    }
  }

  /**
   * Seconds until the next run after a failed one, or undefined: it has had enough.
   *
   * again: what the run said (executor.ts); null where it left no word, then its error code decides.
   */
  retryIn(task: Claimed, code: string, again: Again): number | undefined {
    const policy = this.#plans.get(task.function.toString('latin1'))?.policy ?? NOTHING;
    const asked = typeof again === 'number';
    if (again === null && !policy.retryCodes?.includes(code)) return undefined;
    const retried = said(task.retried, 0)!;
    let allowed = said(task.retries, policy.retries ?? 0)!;
    if (asked && allowed === 0) allowed = ASKED_MOST;
    if (retried >= allowed) return undefined;
    return asked && again >= 0 ? again : waitOf(task, policy, retried);
  }
}

function waitOf(task: Claimed, policy: Policy, retried: number): number {
  const first = said(task.retryDelay, policy.retryDelay ?? 1)!;
  const factor = said(task.retryBackoff, policy.retryBackoff ?? 2)!;
  return backoff(retried + 1, first, { factor, jitter: Math.random() });
}

/** A number of a task's hash. claim has looked at what a producer wrote, but a stranger may write at any time. */
function said(value: Buffer | null, otherwise: number | undefined): number | undefined {
  if (value === null) return otherwise;
  const text = String(value);
  return NUMBER.test(text) ? Number(text) : otherwise;
}

function least(limit: number | undefined, cap: number | undefined): number | undefined {
  if (limit === undefined) return cap;
  return cap === undefined ? limit : Math.min(limit, cap);
}
