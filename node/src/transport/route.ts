/**
 * Finds the node that serves one app: as the target says, as its Sentinels say, or the owner of its slot in a cluster.
 *
 * An app lives in one slot, so a cluster is one node at a time for it, and no client for clusters is needed. Sentinels
 * and nodes are asked again whenever a connection was lost or refused.
 */

import { ConfigurationError, ServerError } from '../errors.js';
import type { Host } from './address.js';
import { explain, tagless, Unreached } from './explain.js';
import { LinkLost, Refusal } from './faults.js';
import { Link, type RedisOptions } from './link.js';
import { slotOf } from './slot.js';
import type { Target } from './target.js';

// Seconds for each of those that are asked: while this one is dead the next may know.
const ASK_TIMEOUT = 2;

/** One server, where the target says. */
export class Route {
  /** May another node take over? */
  moves = false;

  constructor(readonly target: Target) {}

  /** A connection to the node that serves now. Throws Refusal, LinkLost, or a ServerError when nobody knows. */
  async open(patience: number): Promise<Link> {
    return Link.open(await this.find(), patience);
  }

  protected async find(): Promise<RedisOptions> {
    const [host] = this.target.hosts;
    return host === undefined ? this.target.node : at(this.target.node, host);
  }

  /** Learns from an error of a connection where to look next; false: it would be the same there. */
  follow(error: unknown): boolean {
    return !(error instanceof Refusal && error.is('ASK', 'CLUSTERDOWN'));
  }
}

/** The primary that the Sentinels name at this moment, if it says so itself. */
class Sentinels extends Route {
  override moves = true;
  #hosts = this.target.hosts;

  protected override async find(): Promise<RedisOptions> {
    let why: unknown = new LinkLost('no Sentinel is named');
    for (const host of this.#hosts) {
      try {
        const node = at(this.target.node, await this.#named(host));
        await approve(node);
        return node;
      } catch (error) {
        why = error;
        this.#hosts = turned(this.#hosts);
      }
    }
    throw explain(why, this.target);
  }

  async #named(sentinel: Host): Promise<Host> {
    const { service, shown } = this.target;
    const words = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', service];
    const said = (await ask(at(this.target.sentinel, sentinel), words).catch((error) => {
      throw error instanceof Refusal && error.is('NOAUTH', 'WRONGPASS') ? refusedLogin(shown) : error;
    })) as [Buffer, Buffer] | null;
    if (said !== null) return { name: String(said[0]), port: Number(said[1]) };
    throw new Unreached(
      `the Sentinels of ${shown} know no primary named '${service}'; ` +
        'its name stands before the database: redis+sentinel://host:26379/name/0',
    );
  }
}

function refusedLogin(shown: string): ServerError {
  return new ServerError(
    `a Sentinel of ${shown} refused the login; its own goes into the URL as ?sentinel_password=..., ` +
      'with sentinel_username=... if it has users',
  );
}

// For a moment after a failover a Sentinel may still name the old one, which may be there again as a replica.
async function approve(node: RedisOptions): Promise<void> {
  const role = await ask(node, ['ROLE']).catch((error) => {
    if (error instanceof Refusal && error.is('NOPERM')) return [Buffer.from('master')];
    throw error;
  });
  if (String((role as Buffer[])[0]) !== 'master') {
    throw new Refusal('READONLY the Sentinels name it as the primary, and it is none');
  }
}

/** The owner of one slot of a cluster. A plain URL may name a node of one too, which is found out by asking. */
class Slot extends Route {
  override moves = this.target.kind === 'cluster';
  #hosts = this.target.hosts;
  #slot: number;
  #owner: Host | undefined;
  // The node may not be asked, or there is one only.
  #blind = false;

  constructor(target: Target, slot: number) {
    super(target);
    this.#slot = slot;
  }

  protected override async find(): Promise<RedisOptions> {
    const [first] = this.#hosts;
    const owner = this.#owner ?? (this.#blind ? first : await this.#ask());
    return at(this.target.node, owner!);
  }

  async #ask(): Promise<Host> {
    let why: unknown = new Refusal('CLUSTERDOWN no node knows who serves the slot of this app');
    for (const host of this.#hosts) {
      try {
        const ranges = await ask(at(this.target.node, host), ['CLUSTER', 'SLOTS']);
        this.#learn(ranges as Range[], host);
        if (this.#owner !== undefined) return this.#owner;
      } catch (error) {
        if (error instanceof Refusal) {
          if (error.is('NOAUTH', 'WRONGPASS')) throw error;
          this.#blind = true;
          return host;
        }
        why = error;
      }
      this.#hosts = turned(this.#hosts);
    }
    throw why;
  }

  /** Takes over what one node says of all. A node that does not know its own name means the one that was asked for. */
  #learn(ranges: readonly Range[], asked: Host): void {
    this.moves = true;
    const known = new Map(this.#hosts.map((host) => [`${host.name}:${host.port}`, host]));
    for (const [first, last, ...nodes] of ranges) {
      const hosts = nodes.map(([name, port]) => ({ name: String(name ?? '') || asked.name, port }));
      for (const host of hosts) known.set(`${host.name}:${host.port}`, host);
      if (first <= this.#slot && this.#slot <= last) this.#owner = hosts[0];
    }
    this.#hosts = [...known.values()];
  }

  override follow(error: unknown): boolean {
    if (error instanceof Refusal && error.is('MOVED')) this.#moved(error.message);
    else if (!(error instanceof Refusal && error.is('ASK', 'TRYAGAIN'))) {
      this.#owner = undefined;
      this.#hosts = turned(this.#hosts);
    }
    return true;
  }

  #moved(message: string): void {
    const [, slot, name, port] = /^MOVED (\d+) (.*):(\d+)$/.exec(message) ?? [];
    this.moves = true;
    this.#blind = false;
    this.#slot = Number(slot ?? this.#slot);
    this.#owner = name && name !== '?' ? { name, port: Number(port) } : undefined;
  }
}

type Range = readonly [first: number, last: number, ...nodes: (readonly [name: Buffer | null, port: number])[]];

function at(options: RedisOptions, { name, port }: Host): RedisOptions {
  return { ...options, host: name, port };
}

// Another is asked first from now on: this one may be dead, or behind the others.
function turned(hosts: readonly Host[]): readonly Host[] {
  return [...hosts.slice(1), ...hosts.slice(0, 1)];
}

async function ask(options: RedisOptions, words: readonly string[]): Promise<unknown> {
  const link = await Link.open({ ...options, connectTimeout: ASK_TIMEOUT * 1000 }, ASK_TIMEOUT);
  try {
    return await link.call(words);
  } finally {
    link.close();
  }
}

/** The way to an app. Throws ConfigurationError for a cluster with a prefix without a {tag}. */
export function routeTo(target: Target, prefix: string): Route {
  if (target.kind === 'sentinel') return new Sentinels(target);
  const slot = slotOf(prefix);
  if (slot === undefined && target.kind === 'cluster') throw new ConfigurationError(tagless(prefix));
  return slot === undefined || target.hosts.length === 0 ? new Route(target) : new Slot(target, slot);
}
