/** A client's connections: sends what is decided elsewhere, and waits. Decides nothing. */

import { NotPermitted, type ServerError, ServerUnavailable } from '../errors.js';
import type { RedisSource } from '../transport/index.js';
import { Transport } from '../transport/index.js';
import type { DecodeOptions } from '../values/codec.js';
import type { Keys } from '../values/keys.js';
import { raw } from '../values/text.js';
import { Attention } from './attention.js';
import { Ticket } from './board.js';
import { Catalog } from './catalog.js';
import { END_FIELDS, PENDING, Wait } from './ending.js';
import type { Job } from './job.js';
import { Listener } from './listener.js';
import { Sleeper } from './sleeper.js';
import * as submission from './submission.js';

/** timeout: seconds, 0 for a single look, absent to wait for ever; signal: ends the wait with its reason. */
export interface WaitOptions extends DecodeOptions {
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The word of submit, and the epoch from which on the end of the task is heard. */
export type Sent = readonly [word: string, heard: number | undefined];

// Seconds that one look may take where the wait has a timeout.
const LOOK = 1;

/** One client's connections to one server. */
export class Side {
  readonly transport: Transport;
  readonly catalog: Catalog;
  readonly #keys: Keys;
  readonly #listener: Listener;
  readonly #sleepers = new Set<Sleeper>();
  readonly #replies = new Attention();
  readonly #ends = new Attention();
  // What the user of the URL may do is found out once.
  #mayCall = true;
  #mayListen = true;
  #closed = false;

  constructor(source: RedisSource, keys: Keys) {
    this.transport = new Transport(source, { prefix: keys.prefix });
    this.catalog = new Catalog(this.transport, keys);
    this.#keys = keys;
    this.#listener = new Listener(this.transport, keys);
  }

  /** Submits one task. Throws ServerError. */
  async submit(job: Job): Promise<Sent> {
    const epoch = this.#listener.invite();
    const replyTo = epoch === undefined ? undefined : this.#listener.channel;
    if (this.#mayCall) {
      const begun = this.#replies.begin();
      try {
        const [word = ''] = await this.transport.send(submission.submitOne(this.#keys, job, replyTo));
        return [word, word === 'created' ? epoch : undefined];
      } catch (error) {
        this.#forbidden(error);
      } finally {
        this.#replies.end(begun);
      }
    }
    const [word = ''] = await this.#submitPlainly([job]);
    return [word, undefined];
  }

  /** Submits many in few round trips: the word of submit for each, in order. Throws ServerError. */
  async submitMany(jobs: Iterable<Job>, signal?: AbortSignal): Promise<string[]> {
    const words: string[] = [];
    for (const trip of submission.trips(submission.batches(jobs))) {
      signal?.throwIfAborted();
      const said = await this.#submitTrip(trip);
      for (const [at, batch] of trip.entries()) {
        for (const [n, [place]] of batch.entries()) words[place] = said[at]![n]!;
      }
    }
    return words;
  }

  async #submitTrip(trip: readonly submission.Batch[]): Promise<string[][]> {
    if (this.#mayCall) {
      try {
        return await this.transport.sendAll(trip.map((batch) => submission.submitBatch(this.#keys, batch)));
      } catch (error) {
        this.#forbidden(error);
      }
    }
    const words: string[][] = [];
    for (const batch of trip) words.push(await this.#submitPlainly(batch.map(([, job]) => job)));
    return words;
  }

  async #submitPlainly(jobs: readonly Job[]): Promise<string[]> {
    const words = await Promise.all(jobs.map((job) => this.#plainWord(job)));
    const fresh = jobs.filter((_, at) => words[at] === 'created');
    const now = new Date();
    await this.transport.pipeline(fresh.flatMap((job) => submission.plainSubmission(this.#keys, job, now)));
    return words;
  }

  async #plainWord(job: Job): Promise<string> {
    if (!job.ownId) return 'created';
    const there = await this.transport.command(submission.plainLook(this.#keys, job), { repeat: true });
    return submission.plainWord(job, there as (Buffer | null)[]);
  }

  #forbidden(error: unknown): void {
    if (!(error instanceof NotPermitted)) throw error;
    this.#mayCall = false;
  }

  /** The outcome of some work, unless this signal aborts first. */
  within<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (signal === undefined) return work;
    work.catch(() => {}); // it may be given up before anybody hears of it
    return this.#sleeping(signal, (sleeper) => sleeper.during(work, Number.POSITIVE_INFINITY)) as Promise<T>;
  }

  /** Waits so many seconds. Throws the reason of the signal, or ServerUnavailable once this is closed. */
  rest(seconds: number, signal: AbortSignal | undefined): Promise<void> {
    return this.#sleeping(signal, (sleeper) => sleeper.sleep(seconds));
  }

  /** The result of a task, as Handle.result promises. heard: the epoch of its submission. */
  wait(id: string, known: boolean, heard: number | undefined, options: WaitOptions): Promise<unknown> {
    const wait = new Wait(id, options, known, options.timeout, now());
    return this.#sleeping(options.signal, (sleeper) => this.#wait(wait, sleeper, heard, options.timeout));
  }

  async #wait(wait: Wait, sleeper: Sleeper, heard: number | undefined, timeout: number | undefined): Promise<unknown> {
    const onlyOneLook = timeout !== undefined && timeout <= 0;
    const look = timeout === undefined || onlyOneLook ? Number.POSITIVE_INFINITY : LOOK;
    if (!onlyOneLook) this.#listener.attend();
    if (heard === undefined || onlyOneLook) {
      // If it has ended already, there is no need to listen to everybody's messages.
      const value = await this.#look(wait, sleeper, look);
      if (value !== PENDING) return value;
      wait.pause(now());
    }
    const ticket = new Ticket(Buffer.from(raw(this.#keys.task(wait.id))).toString('latin1'));
    ticket.ring = sleeper.ring;
    const isHeard = this.#mayListen;
    if (isHeard) this.#listener.enter(ticket, heard);
    let value: unknown;
    let heardIt: boolean;
    const begun = this.#ends.begin();
    try {
      do {
        heardIt = await this.#listen(wait, ticket, sleeper);
        value = ticket.told ? wait.take(ticket.told) : await this.#look(wait, sleeper, look);
      } while (value === PENDING);
    } finally {
      this.#ends.end(begun);
      if (isHeard) this.#listener.leave(ticket);
    }
    if (!heardIt) this.#listener.distrust();
    return value;
  }

  async #look(wait: Wait, sleeper: Sleeper, seconds: number): Promise<unknown> {
    try {
      const looking = this.transport.fields(raw(this.#keys.task(wait.id)), END_FIELDS);
      const reply = await sleeper.during(looking, seconds);
      return reply === undefined ? PENDING : wait.judge(reply, now());
    } catch (error) {
      if (!(error instanceof ServerUnavailable)) throw error;
      await sleeper.sleep(wait.away(error, now()));
      return PENDING;
    }
  }

  async #listen(wait: Wait, ticket: Ticket, sleeper: Sleeper): Promise<boolean> {
    try {
      if (this.#mayListen) return await this.#listener.wait(ticket, sleeper, wait.pause(now()));
    } catch (error) {
      if (error instanceof ServerUnavailable && !this.#closed) {
        await sleeper.sleep(wait.away(error, now()));
        return true;
      }
      if (!(error instanceof NotPermitted)) throw error;
      this.#mayListen = false;
    }
    await sleeper.sleep(wait.blind(now()));
    return true;
  }

  async #sleeping<T>(signal: AbortSignal | undefined, work: (sleeper: Sleeper) => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError(this.transport.shown);
    const sleeper = new Sleeper(this.#sleepers, signal);
    try {
      return await work(sleeper);
    } finally {
      sleeper.end();
    }
  }

  /** Ends all waits with an error; what was sent is answered first. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const sleeper of [...this.#sleepers]) sleeper.stop(closedError(this.transport.shown));
    this.#listener.close();
    await this.transport.close();
  }
}

function closedError(shown: string): ServerError {
  return new ServerUnavailable(`this client of ${shown} is closed; make another with new Doshit(...)`);
}

const now = (): number => performance.now() / 1000;
