/**
 * The process that all runs share that need none of their own: the parent's side of it. Lane `shared`.
 *
 * A run that does not heed an order ends by the end of its process. It alone is blamed; its neighbours go back. When the
 * process ends by itself and has not said whose doing it was, each of its runs has a process of its own the next time.
 */

import { Child } from '../children.js';
import type { Executor, Hearer, Job, Lane, Served, Why } from '../engine/executor.js';
import type { Log } from '../engine/log.js';
import { relay } from '../relay.js';
import { type Broken, type Hello, KIND, type Payload, packJob, packOrder, type Setup } from '../wire.js';
import { CannotStart } from './cannotStart.js';

const TRIES = 3; // processes in a row that cannot start, until the worker gives up
const SHORT = 1000; // ms; a process that lived less is followed after a pause
const PAUSE_MOST = 5000; // ms

/** To whom a fall is laid. */
interface Culprit {
  readonly number: number;
  readonly how: string;
}

/** The host of one worker. */
export class Host implements Executor {
  functions: ReadonlyMap<string, Served> = new Map();
  readonly #jobs = new Map<number, Job>();
  #hearer!: Hearer;
  #child: Child | undefined;
  #isReady = false;
  #culprit: Culprit | undefined;
  #isJudging = false;
  #isFalling = false; // it was killed and has not ended yet
  #bornAt = 0;
  #fallen = 0;
  #isStopping = false;
  #broken: Broken | undefined;
  #onOpen: ((error?: CannotStart) => void) | undefined;

  constructor(
    private readonly setup: Setup,
    private readonly log: Log,
  ) {}

  /** Starts it, and settles when the functions are known. Throws CannotStart. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onOpen = (error) => (error === undefined ? resolve() : reject(error));
      this.#spawn();
    });
  }

  slots(lane: Lane): number {
    return lane === 'shared' ? this.setup.slots : 0;
  }

  free(lane: Lane): number {
    return lane === 'shared' && this.#isReady && !this.#isJudging && !this.#isFalling
      ? this.setup.slots - this.#jobs.size
      : 0;
  }

  begin(hearer: Hearer): void {
    this.#hearer = hearer;
  }

  start(jobs: readonly Job[]): void {
    for (const job of jobs) {
      this.#jobs.set(job.number, job);
      this.#child!.say((packer) => packJob(packer, job));
    }
  }

  order(job: Job, why: Why, reason: string): void {
    if (this.#jobs.has(job.number)) this.#child?.say((packer) => packOrder(packer, job.number, why, reason));
  }

  takeBack(): Job[] {
    if (this.#jobs.size > 0) this.#child?.say((packer) => packer.begin(KIND.TAKE_BACK).end());
    return []; // told by unbegun: only the child knows what it has begun
  }

  kill(job: Job): void {
    if (this.#child === undefined || this.#isJudging || !this.#jobs.has(job.number)) return;
    this.#isJudging = true; // nothing more is begun in it
    void this.#judge(this.#child, job);
  }

  // Who does not heed may have been kept from it by another run, which has the event loop.
  async #judge(child: Child, job: Job): Promise<void> {
    const who = await child.who();
    if (child !== this.#child) return;
    const busy = who?.isBusy ? this.#jobs.get(who.number) : undefined;
    if (!this.#jobs.has(job.number) && busy === undefined) {
      this.#isJudging = false;
      this.#hearer.freed();
      return;
    }
    const where = who?.where ? ` at ${who.where}` : '';
    const how = busy === undefined ? 'its process was killed' : `its process was killed while it was busy${where}`;
    this.#culprit = { number: (busy ?? job).number, how };
    child.kill();
  }

  loseAll(): void {
    if (this.#jobs.size === 0) return;
    this.#jobs.clear();
    this.#child?.kill();
    this.#isFalling = true;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#child?.close();
  }

  #spawn(): void {
    if (this.#isStopping) return;
    this.#bornAt = performance.now();
    const child = new Child(this.setup, {
      frame: (kind, payload) => this.#hear(kind, payload),
      ended: (how) => this.#ended(how),
    });
    this.#child = child;
  }

  #hear(kind: number, payload: Payload): void {
    if (kind === KIND.HELLO) this.#greeted(JSON.parse(payload.text()) as Hello);
    else if (kind === KIND.BROKEN) this.#broken = JSON.parse(payload.text()) as Broken;
    else if (kind === KIND.LEAVING) this.#culprit ??= { number: payload.number(), how: payload.text() };
    else relay(kind, payload, this.#jobs, this.#hearer, this.log);
  }

  #greeted({ functions }: Hello): void {
    const before = JSON.stringify([...this.functions]);
    this.functions = new Map(Object.entries(functions) as [string, Served][]);
    this.#isReady = true;
    this.#broken = undefined;
    const onOpen = this.#onOpen;
    this.#onOpen = undefined;
    if (onOpen !== undefined) {
      onOpen();
      return;
    }
    if (JSON.stringify([...this.functions]) !== before) this.#hearer.served();
    this.#hearer.freed();
  }

  #ended(how: string): void {
    const wasReady = this.#isReady;
    this.#child = undefined;
    this.#isReady = false;
    this.#isJudging = false;
    this.#isFalling = false;
    const isBlamed = this.#tellFall(how);
    if (this.#isStopping) return;
    const cause = this.#broken?.text ?? how;
    if (this.#onOpen !== undefined) {
      this.#onOpen(new CannotStart(cause, this.#broken?.usage === true));
      return;
    }
    this.#follow(wasReady, isBlamed, cause);
  }

  // Was it the doing of a run?
  #tellFall(how: string): boolean {
    const culprit = this.#culprit;
    this.#culprit = undefined;
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    const blamed = jobs.find(({ number }) => number === culprit?.number);
    const neighbours = jobs.filter((job) => job !== blamed);
    if (blamed !== undefined) this.#hearer.died(blamed, culprit!.how);
    else if (jobs.length > 0) this.log('warning', `the process of the handlers has ended: ${culprit?.how ?? how}`);
    if (neighbours.length > 0) this.#hearer.interrupted(neighbours, blamed === undefined);
    return blamed !== undefined;
  }

  // The next one comes at once, later if they fall one after another and no run is to blame.
  #follow(wasReady: boolean, isBlamed: boolean, cause: string): void {
    const lived = performance.now() - this.#bornAt;
    this.#fallen = wasReady && (isBlamed || lived >= SHORT) ? 0 : this.#fallen + 1;
    if (!wasReady && this.#fallen >= TRIES) {
      this.#hearer.broken(`the process of the handlers cannot be started: ${cause}`);
      return;
    }
    if (!wasReady) this.log('error', `the process of the handlers could not start: ${cause}`);
    const wait = this.#fallen <= 1 ? 0 : Math.min(50 * 2 ** this.#fallen, PAUSE_MOST);
    setTimeout(() => this.#spawn(), wait).unref();
  }
}
