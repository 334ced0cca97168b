/** Gives claimed tasks to the executor, and knows what this worker holds. Speaks to no Redis. */

import type { Executor, Lane } from './executor.js';
import type { Policies } from './policies.js';
import type { Run } from './run.js';

const WORTH = 10; // ms of work that may wait behind what runs
const HOLD_MOST = 600; // runs that are held at once, so that none waits for Redis, nor Redis for a claim
const WEIGHT = 0.05; // of one run in the running mean
const STUCK_AFTER = 100; // ms that all slots are taken before what waits goes back to Redis
const LANES = ['shared', 'alone'] as const;

/** What waits here for a slot, and what has one. */
export class Dispatcher {
  readonly #ready: Record<Lane, Run[]> = { shared: [], alone: [] };
  readonly #running = new Set<Run>();
  readonly #count: Record<Lane, number> = { shared: 0, alone: 0 };
  readonly #progressAt: Record<Lane, number> = { shared: 0, alone: 0 };
  // ms of a run in the shared process.
  #mean: number | undefined;
  #sharedLately = 0;
  #dispatching = false;

  constructor(
    private readonly executor: Executor,
    private readonly policies: Policies,
    private readonly onBegin: (run: Run) => void,
  ) {}

  /** Takes what was claimed. */
  add(runs: readonly Run[]): void {
    const before = this.#ready.shared.length;
    for (const run of runs) this.#ready[run.lane].push(run);
    this.#sharedLately = this.#ready.shared.length - before;
  }

  /** Takes runs back that were ready before, oldest first: they are the next. */
  putBack(runs: readonly Run[]): void {
    for (const run of [...runs].reverse()) this.#ready[run.lane].unshift(run);
  }

  get outstanding(): number {
    return this.#running.size + this.#ready.shared.length + this.#ready.alone.length;
  }

  get runs(): ReadonlySet<Run> {
    return this.#running;
  }

  /** Does anything wait here? */
  get hasReady(): boolean {
    return this.#ready.shared.length > 0 || this.#ready.alone.length > 0;
  }

  /** The ids of all that is held, their bytes as latin1. */
  ids(): Set<string> {
    const all = [...this.#running, ...this.#ready.shared, ...this.#ready.alone];
    return new Set(all.map(({ task }) => task.id.toString('latin1')));
  }

  /** Gives to the executor what it has slots for. */
  dispatch(): void {
    // A run that ends at once comes here again amid this.
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (const lane of LANES) this.#dispatchLane(lane);
    } finally {
      this.#dispatching = false;
    }
  }

  #dispatchLane(lane: Lane): void {
    const ready = this.#ready[lane];
    while (ready.length > 0) {
      const free = this.executor.free(lane);
      if (free <= 0) return;
      const runs = ready.splice(0, free);
      const now = performance.now();
      this.#progressAt[lane] = now;
      this.#count[lane] += runs.length;
      for (const run of runs) {
        run.beganAt = now;
        this.#running.add(run);
        this.onBegin(run);
      }
      this.executor.start(runs);
    }
  }

  /** A run is over, or has gone back; false: it was not here, so its end is nobody's any more. */
  ended(run: Run): boolean {
    if (!this.#running.delete(run)) return false;
    const now = performance.now();
    this.#progressAt[run.lane] = now;
    this.#count[run.lane] -= 1;
    if (run.lane === 'alone') return true;
    const took = now - run.beganAt;
    this.#mean = this.#mean === undefined ? took : this.#mean + WEIGHT * (took - this.#mean);
    return true;
  }

  /** Everything that has not begun, oldest first. */
  takeAllBack(): Run[] {
    return [...this.#takeUnbegun(), ...this.#ready.shared.splice(0), ...this.#ready.alone.splice(0)];
  }

  /** All that the executor has, forgotten here: what it says of them is not heard any more. */
  loseAll(): Run[] {
    const lost = [...this.#running];
    for (const run of lost) this.#forget(run);
    return lost;
  }

  #takeUnbegun(): Run[] {
    const back = this.executor.takeBack() as Run[];
    for (const run of back) this.#forget(run);
    return back;
  }

  #forget(run: Run): void {
    if (this.#running.delete(run)) this.#count[run.lane] -= 1;
  }

  /** What waits while every slot has been taken for long: another worker may be free. */
  stuck(): Run[] {
    const now = performance.now();
    const lanes = LANES.filter(
      (lane) => this.#count[lane] > 0 && this.executor.free(lane) <= 0 && now - this.#progressAt[lane] >= STUCK_AFTER,
    );
    if (lanes.length === 0) return [];
    this.putBack(this.#takeUnbegun());
    return lanes.flatMap((lane) => this.#ready[lane].splice(0));
  }

  /**
   * How many more tasks may be claimed: as many as are done in a moment, so that none waits for Redis.
   *
   * A claim cannot choose by function. So where some run alone, what it brings must find a process of its own; as many
   * as lately were for the shared one may come beside that.
   */
  room(): number {
    const { shared, alone } = this.policies.count;
    if (alone === 0) return this.#sharedRoom();
    const room = this.executor.slots('alone') - this.#count.alone - this.#ready.alone.length;
    if (room <= 0 || shared === 0) return Math.max(0, room);
    // What is held for the shared one beyond its own counts against it: else it would grow with each claim.
    const beyond = this.#sharedHeld - this.#most(this.executor.slots('shared'));
    return Math.max(0, room - Math.max(0, beyond)) + Math.min(this.#sharedLately, this.#sharedRoom());
  }

  /** How many more would begin at once, whichever functions they are of. */
  couldBegin(): number {
    const lane = this.policies.count.alone > 0 ? 'alone' : 'shared';
    return Math.max(0, this.executor.slots(lane) - this.#count[lane] - this.#ready[lane].length);
  }

  get #sharedHeld(): number {
    return this.#count.shared + this.#ready.shared.length;
  }

  #sharedRoom(): number {
    const slots = this.executor.slots('shared');
    const isLong = this.executor.free('shared') <= 0 && performance.now() - this.#progressAt.shared >= WORTH;
    return isLong ? 0 : Math.max(0, this.#most(slots) - this.#sharedHeld);
  }

  #most(slots: number): number {
    if (this.#mean === undefined || this.#mean >= WORTH) return slots;
    return Math.max(slots, Math.min(HOLD_MOST, Math.floor((2 * slots * WORTH) / this.#mean)));
  }
}
