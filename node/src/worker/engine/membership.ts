/** The worker's name in Redis: registers it, describes it, keeps its lease, takes it away. Touches no task. */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Arg, Beat } from '../../commands/index.js';
import { catalogSha } from '../../values/catalog.js';
import type { Keys } from '../../values/keys.js';
import { LEASE_MS, PROTOCOL_VERSION } from '../../values/states.js';
import { formatTimestamp } from '../../values/times.js';
import { boot, pidNamespace, started } from './host.js';
import type { Log } from './log.js';
import { type Pulse, PulseHere, type PulseMaker } from './pulse.js';
import type { Session } from './session.js';
import { version } from './version.js';

const HOST_BYTES = 32; // of the host's name in a worker id

/** What a membership tells. */
export interface Belonging {
  /** It was taken for dead. */
  onSealed(): void;
  /** How many tasks Redis says it holds. */
  onHeld(held: number): void;
  /** Claims of its tasks that it is asked to end. */
  onStops(claims: readonly Buffer[]): void;
}

/**
 * A name that says where, and is new for each start: host-pid-random.
 *
 * At most 47 bytes, so that a claim stays within 64: Redis keeps a hash in its small form only while no value is longer
 * (hash-max-listpack-value).
 */
export function newWorkerId(name: string = hostname()): string {
  const host = name.replace(/[^A-Za-z0-9.-]/g, '-').slice(0, HOST_BYTES) || 'host';
  return `${host}-${process.pid}-${randomBytes(3).toString('hex')}`;
}

/** One worker among the workers. */
export class Membership {
  id = newWorkerId();
  readonly #started = formatTimestamp(new Date());
  readonly #pulse: Pulse;
  #catalog: readonly (readonly [name: string, json: string])[] = [];
  #sha = '';

  constructor(
    private readonly session: Session,
    private readonly keys: Keys,
    private readonly about: { readonly queues: readonly string[]; readonly concurrency: number },
    private readonly hooks: Belonging,
    private readonly log: Log,
    makePulse: PulseMaker | undefined,
  ) {
    const hear = (beat: Beat, worker: string) => this.#heard(beat, worker);
    this.#pulse = makePulse?.(session, hear) ?? new PulseHere(session, keys, hear);
  }

  /** Takes the functions this worker serves: name to JSON. They are told to Redis by the next register(). */
  publish(catalog: Iterable<readonly [name: string, json: string]>): void {
    this.#catalog = [...catalog];
    this.#sha = catalogSha(this.#catalog);
  }

  /** Tells Redis who this is. The lease begins with the beat that follows. */
  register(): void {
    const { keys, id } = this;
    const life = LEASE_MS * 6;
    const catalog = keys.catalog(this.#sha);
    const commands: Arg[][] = [
      ['SET', keys.protocol, PROTOCOL_VERSION, 'NX'],
      ['SADD', keys.queues, ...this.about.queues],
      ['HSET', catalog, ...this.#catalog.flat()],
      ['PEXPIRE', catalog, life],
      ['HSET', keys.worker(id), ...Object.entries(this.#about()).flat()],
      ['PEXPIRE', keys.worker(id), life],
      // A lease that is not over, in any clock; the beat sets the real one. NX: a sealed name stays sealed.
      ['ZADD', keys.workers, 'NX', Date.now() + LEASE_MS, id],
    ];
    const told = (error: Error) => this.log('error', `this worker cannot tell who it is: ${error.message}`);
    this.session.commands(commands).catch(told);
    this.#pulse.begin(id);
  }

  #about(): Record<string, string | number> {
    return {
      host: hostname(),
      pid: process.pid,
      started: this.#started,
      queues: this.about.queues.join(','),
      concurrency: this.about.concurrency,
      language: `node ${process.versions.node}`,
      version: version(),
      catalog: this.#sha,
      boot: boot(),
      pidns: pidNamespace(),
      born: started(process.pid),
    };
  }

  /** A new name, after the old one was sealed. */
  beginAgain(): void {
    this.id = newWorkerId();
    this.register();
  }

  /** Beats before it is time: something is to be heard. */
  beatNow(): void {
    this.#pulse.now();
  }

  #heard(beat: Beat, worker: string): void {
    if (worker !== this.id) return;
    if (beat.state === 'unknown') {
      this.register();
      return;
    }
    if (beat.state === 'sealed') {
      this.hooks.onSealed();
      return;
    }
    if (beat.stops.length > 0) this.hooks.onStops(beat.stops);
    this.hooks.onHeld(beat.held);
  }

  /** Takes the name away; nothing may be held any more. */
  async leave(): Promise<void> {
    this.#pulse.end();
    await this.session.commands([
      ['ZREM', this.keys.workers, this.id],
      ['DEL', this.keys.worker(this.id)],
    ]);
  }

  /** Beats no more. */
  end(): void {
    this.#pulse.end();
  }
}
