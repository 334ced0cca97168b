/**
 * One worker: wires the roles together, and stops them in order. Runs no code of the user's; that is the executor's.
 *
 * The roles know each other by hooks that are set here, so the whole traffic between them can be read in this file.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Claimed } from '../../commands/index.js';
import type { RedisSource } from '../../transport/index.js';
import { Transport } from '../../transport/index.js';
import type { Keys } from '../../values/keys.js';
import type { Settings } from '../settings.js';
import { Auditor } from './auditor.js';
import { Dispatcher } from './dispatcher.js';
import { Duties } from './duties.js';
import { Endings } from './endings.js';
import type { Executor, Hearer, Job } from './executor.js';
import { Fetcher } from './fetcher.js';
import { Hints } from './hints.js';
import { Limiter } from './limiter.js';
import type { Log } from './log.js';
import { Membership } from './membership.js';
import { Notes } from './notes.js';
import { Policies } from './policies.js';
import { sealPredecessors } from './predecessors.js';
import type { PulseMaker } from './pulse.js';
import type { Run } from './run.js';
import { Session } from './session.js';
import { Settler } from './settler.js';

const FLUSH_AT = 250; // ends that are sent without waiting for the turn to end
const HOUSE_EVERY = 100; // ms
const SILENCE = 15; // seconds without any sign of Redis: others may have the tasks by now
const CLOSE_WITHIN = 5000; // ms that Redis has to hear of the last ends

/** What an engine is made of. onBroken: it has stopped by itself, and why. makePulse: what beats, if not this loop. */
export interface EngineParts {
  readonly redis: RedisSource;
  readonly keys: Keys;
  readonly settings: Settings;
  readonly executor: Executor;
  readonly log: Log;
  readonly makePulse?: PulseMaker | undefined;
}

/** A worker. start() and stop() once each. */
export class Engine {
  readonly #session: Session;
  readonly #policies: Policies;
  readonly #dispatcher: Dispatcher;
  readonly #limiter: Limiter;
  readonly #settler: Settler;
  readonly #notes: Notes;
  readonly #endings: Endings;
  readonly #fetcher: Fetcher;
  readonly #membership: Membership;
  readonly #duties: Duties;
  readonly #hints: Hints;
  readonly #house: NodeJS.Timeout;
  #pumping = false;
  #stopBy: number | undefined;
  #stopping: Promise<void> | undefined;
  #onStopped!: () => void;
  /** Settles when it has stopped, by whomever. */
  readonly stopped = new Promise<void>((resolve) => {
    this.#onStopped = resolve;
  });
  #broken = '';

  constructor(private readonly parts: EngineParts) {
    const { redis, keys, settings, executor, log } = parts;
    const transport = new Transport(redis, { prefix: keys.prefix, name: 'doshit-worker', forever: true });
    const worker = () => this.#membership.id;
    this.#session = new Session(transport, log);
    this.#policies = new Policies(settings);
    this.#limiter = new Limiter(executor);
    this.#dispatcher = new Dispatcher(executor, this.#policies, (run) => this.#limiter.begin(run));
    this.#settler = new Settler(this.#session, keys, worker, settings.resultTtl, log, () => this.#onWaiting());
    this.#notes = new Notes(this.#session, keys, worker, settings.outputCap, log);
    this.#endings = new Endings(this.#settler, this.#policies, this.#notes, log);
    this.#fetcher = new Fetcher(this.#session, keys, settings, this.#fetching(), log);
    this.#membership = new Membership(this.#session, keys, settings, this.#belonging(), log, parts.makePulse);
    this.#duties = new Duties(this.#session, keys, settings.resultTtl, log);
    this.#hints = new Hints(transport, keys, (message) => this.#hinted(message));
    this.#house = setInterval(() => this.#keepHouse(), HOUSE_EVERY);
  }

  /** Its name in Redis; a sealed worker gets another. */
  get id(): string {
    return this.#membership.id;
  }

  /** Why it has stopped by itself, or "". */
  get broken(): string {
    return this.#broken;
  }

  /** Settles when it serves. Throws ServerError for a server that will not do; one that is away is waited for. */
  async start(): Promise<void> {
    const { keys, executor, log } = this.parts;
    executor.begin(this.#hearer());
    await this.#session.transport.check(keys.prefix);
    if (this.#stopBy !== undefined) return;
    this.#publish();
    this.#warnOfUntold();
    this.#fetcher.begin(this.#membership.id);
    this.#duties.begin();
    this.#hints.open();
    this.#fetcher.look();
    await sealPredecessors(this.#session, keys, log).catch((error) => {
      if (!this.#session.closed) log('warning', `workers before this one cannot be looked at: ${error.message}`);
    });
  }

  // Tells Redis, and itself, which functions are served.
  #publish(): void {
    const { functions } = this.parts.executor;
    this.#policies.take(functions, this.parts.executor.slots('alone') > 0);
    this.#membership.publish([...functions].map(([name, { catalog }]) => [name, catalog]));
    this.#membership.register();
  }

  #warnOfUntold(): void {
    for (const [name, { untold }] of this.parts.executor.functions) {
      if (untold === undefined) continue;
      const why = `its schema of ${untold} tells no JSON Schema, so the catalog does not say what it takes`;
      this.parts.log('warning', `function ${JSON.stringify(name)}: ${why}; calls are checked by its worker alone`);
    }
  }

  // What roles say to each other.

  #fetching() {
    return {
      room: () => this.#dispatcher.room(),
      queued: () => this.#dispatcher.outstanding,
      couldBegin: () => this.#dispatcher.couldBegin(),
      soon: () => this.#pumpSoon(),
      onTasks: (tasks: readonly Claimed[]) => this.#claimed(tasks),
      onLostId: (state: string) => (state === 'sealed' ? this.#sealed() : this.#membership.register()),
    };
  }

  #belonging() {
    const { keys, log } = this.parts;
    const books = {
      worker: () => this.#membership.id,
      known: () => this.#dispatcher.ids(),
      quiet: () => !this.#isOnItsWay(),
      coming: (claim: Buffer) => this.#fetcher.isComing(claim),
    };
    const auditor = new Auditor(this.#session, keys, books, log);
    return {
      onSealed: () => this.#sealed(),
      onHeld: (held: number) => auditor.compare(held),
      onStops: (claims: readonly Buffer[]) => this.#askedToStop(claims),
    };
  }

  #hearer(): Hearer {
    return {
      returned: (job, json) => this.#ended(job, (run) => this.#endings.returned(run, json)),
      failed: (job, failure) => this.#ended(job, (run) => this.#endings.failed(run, failure)),
      died: (job, how) => this.#ended(job, (run) => this.#endings.died(run, how)),
      unbegun: (jobs) => this.#unbegun(jobs as readonly Run[]),
      interrupted: (jobs, suspect) => this.#interrupted(jobs as readonly Run[], suspect),
      heavy: (job, added) => this.#limiter.heavy(job as Run, added),
      output: (job, stream, text, at) => this.#ifRuns(job, (run) => this.#notes.output(run, stream, text, at)),
      progress: (job, json) => this.#ifRuns(job, (run) => this.#notes.progress(run, json)),
      used: (job, cpu, memory) => this.#ifRuns(job, (run) => this.#endings.used(run, cpu, memory)),
      freed: () => this.#pumpSoon(),
      served: () => this.#publish(),
      broken: (why) => this.#breakDown(why),
    };
  }

  #claimed(tasks: readonly Claimed[]): void {
    if (this.#stopBy !== undefined) {
      this.#settler.release(tasks);
      return;
    }
    const runs: Run[] = [];
    const strange: Claimed[] = [];
    for (const task of tasks) {
      const run = this.#policies.runOf(task);
      if (run === undefined) strange.push(task);
      else runs.push(run);
    }
    if (strange.length > 0) this.#settler.park(strange, this.parts.settings.unknownGrace, this.#policies.names);
    this.#dispatcher.add(runs);
    this.#dispatcher.dispatch();
  }

  #ended(job: Job, settle: (run: Run) => void): void {
    const run = job as Run;
    if (!this.#dispatcher.ended(run)) return;
    this.#limiter.end(run);
    settle(run);
    if (this.#dispatcher.hasReady) this.#dispatcher.dispatch();
    this.#pumpSoon();
  }

  #ifRuns(job: Job, hear: (run: Run) => void): void {
    if (this.#dispatcher.runs.has(job as Run)) hear(job as Run);
  }

  #unbegun(runs: readonly Run[]): void {
    const mine = runs.filter((run) => this.#dispatcher.ended(run));
    for (const run of mine) this.#limiter.end(run);
    const wanted = this.#wanted(mine);
    if (this.#stopBy !== undefined) this.#settler.release(wanted.map(({ task }) => task));
    else this.#dispatcher.putBack(wanted);
    this.#pumpSoon();
  }

  // Ends those that were cancelled. An order that came before the beginning holds for no run, so it is forgotten.
  #wanted(runs: readonly Run[]): Run[] {
    const isCancelled = (run: Run) => run.stopping?.why === 'cancelled';
    for (const run of runs.filter(isCancelled)) this.#endings.cancelled(run);
    const wanted = runs.filter((run) => !isCancelled(run));
    for (const run of wanted) run.stopping = undefined;
    return wanted;
  }

  #interrupted(runs: readonly Run[], suspect: boolean): void {
    const mine = runs.filter((run) => this.#dispatcher.ended(run));
    if (suspect) this.#policies.suspect(mine.map(({ task }) => task));
    this.#giveUp(mine, false);
    this.#pumpSoon();
  }

  // They go back to their queues. begun: this counts as an attempt.
  #giveUp(runs: readonly Run[], begun: boolean): void {
    for (const run of runs) {
      this.#limiter.end(run);
      this.#endings.forget(run);
    }
    this.#settler.release(
      runs.map(({ task }) => task),
      begun,
    );
  }

  // Somebody cancelled tasks that this worker holds: what has not begun ends at once, what runs is told to.
  #askedToStop(claims: readonly Buffer[]): void {
    const wanted = new Set(claims.map((claim) => claim.toString('latin1')));
    const isWanted = ({ task }: Run) => wanted.has(task.claim.toString('latin1'));
    const back = this.#dispatcher.takeAllBack();
    for (const run of back) if (isWanted(run)) this.#endings.cancelled(run);
    this.#dispatcher.putBack(back.filter((run) => !isWanted(run)));
    for (const run of [...this.#dispatcher.runs]) if (isWanted(run)) this.#limiter.cancel(run);
    this.#pumpSoon();
  }

  #hinted(message: string): void {
    if (message.startsWith('parked ')) this.#fetcher.lookAgain();
    else if (message === `stop ${this.#membership.id}`) this.#membership.beatNow();
  }

  #sealed(): void {
    this.parts.log('warning', 'this worker was taken for dead; it ends its runs and starts again under a new name');
    this.#beginAgain();
  }

  // Its tasks run elsewhere, or will: its own runs end, and it starts under a new name.
  #beginAgain(): void {
    // What it gives back now goes out under its old name, which Redis answers with "stale".
    const lost = this.#dispatcher.loseAll();
    this.parts.executor.loseAll();
    const back = this.#dispatcher.takeAllBack();
    this.#giveUp([...lost, ...back], true);
    this.#settler.flush();
    this.#membership.beginAgain();
    this.#fetcher.begin(this.#membership.id);
    this.#pumpSoon();
  }

  // One turn: what somebody waits for goes first.

  // A lone result goes at once; under load results go together, at the end of a turn of the event loop.
  #onWaiting(): void {
    if (this.#settler.waiting >= FLUSH_AT || this.#dispatcher.outstanding === 0) this.#settler.flush();
    else this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(this.#pump);
  }

  readonly #pump = (): void => {
    this.#pumping = false;
    this.#dispatcher.dispatch();
    this.#settler.flush();
    this.#fetcher.look();
  };

  #keepHouse(): void {
    const stuck = this.#dispatcher.stuck();
    if (stuck.length > 0) {
      this.#settler.release(stuck.map(({ task }) => task));
      this.#fetcher.rest();
    }
    this.#pump();
    if (this.#dispatcher.outstanding > 0 && this.#session.silence() > SILENCE) {
      const { log } = this.parts;
      log('warning', `no sign of Redis for ${SILENCE} s; the runs of this worker are ended, others may have them`);
      this.#beginAgain();
    }
    if (this.parts.settings.burst && this.#fetcher.drained && this.#isAtRest()) void this.stop(0);
  }

  #isOnItsWay(): boolean {
    return this.#settler.unsettled > 0 || this.#fetcher.inFlight > 0;
  }

  #isAtRest(): boolean {
    return this.#dispatcher.outstanding === 0 && !this.#isOnItsWay();
  }

  // Stopping, in four steps: fetch no more, let runs end, hand back, close.

  #breakDown(why: string): void {
    this.#broken = why;
    this.parts.log('error', `stopping: ${why}`);
    void this.stop(0);
  }

  /** Fetches no more; runs get so many seconds to end, then they are handed back. Again: with less grace. */
  stop(grace = this.parts.settings.grace): Promise<void> {
    const by = performance.now() + grace * 1000;
    this.#stopBy = Math.min(this.#stopBy ?? by, by);
    this.#stopping ??= this.#stop().then(this.#onStopped);
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#fetcher.stopped = true;
    this.#settler.release(this.#dispatcher.takeAllBack().map(({ task }) => task));
    this.#pump();
    while (this.#dispatcher.outstanding > 0 && performance.now() < this.#stopBy!) await pause(5);
    this.#handBack();
    const end = performance.now() + CLOSE_WITHIN;
    while ((!this.#isAtRest() || this.#fetcher.isWaiting) && performance.now() < end) await pause(5);
    await this.#close(end);
  }

  #handBack(): void {
    const running = this.#dispatcher.loseAll();
    this.parts.executor.loseAll();
    if (running.length === 0) return;
    this.parts.log('info', `handing back ${running.length} running tasks; they run again elsewhere`);
    this.#giveUp(running, true);
  }

  async #close(end: number): Promise<void> {
    clearInterval(this.#house);
    this.#duties.end();
    this.#limiter.close();
    this.#notes.stop();
    const leaving = this.#membership.leave().catch(() => {});
    await Promise.race([leaving, pause(Math.max(end - performance.now(), 500), undefined, { ref: false })]);
    this.#hints.close();
    this.#fetcher.close();
    await Promise.race([this.#session.close(), pause(1000, undefined, { ref: false })]);
    await this.parts.executor.stop();
    this.parts.log('info', 'stopped');
  }
}
