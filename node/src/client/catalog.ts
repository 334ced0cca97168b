/** Checks a call by what live workers say of its function, before it is pushed. Where nobody says anything, it passes. */

import { BadArguments } from '../errors.js';
import type { Transport } from '../transport/index.js';
import { parametersIn } from '../values/catalog.js';
import { oneLine } from '../values/codec.js';
import type { Keys } from '../values/keys.js';
import { type Fault, faultOf } from '../values/schema.js';
import type { Job } from './job.js';

// Seconds after which an entry is read again, and after which it is not trusted any more.
const FRESH = 5;
const OLD = 15;
// Seconds that the first look at a function may delay a call.
const PATIENCE = 1;
const MOST_NAMES = 1000;

interface Entry {
  /** The schemas of its parameters: one for each signature that a live worker has. */
  readonly schemas: readonly unknown[];
  readonly readAt: number;
}

/** What one client knows of the catalog. */
export class Catalog {
  readonly #entries = new Map<string, Entry>();
  readonly #reading = new Map<string, Promise<Entry>>();

  constructor(
    private readonly transport: Transport,
    private readonly keys: Keys,
  ) {}

  /**
   * Throws BadArguments if no worker that serves its function would take the arguments of a job.
   *
   * A promise only where something must be looked up first; what was is looked up again behind the back of later calls.
   */
  check(job: Job): Promise<void> | undefined {
    if (!this.#isReady(job.function)) return this.#ready(job.function).then(() => this.#judge(job));
    this.#judge(job);
    return undefined;
  }

  /** The same for many. */
  checkAll(jobs: readonly Job[]): Promise<void> | undefined {
    const names = new Set(jobs.map((job) => job.function));
    const unknown = [...names].filter((name) => !this.#isReady(name));
    const judgeAll = () => {
      for (const job of jobs) this.#judge(job);
    };
    if (unknown.length > 0) return Promise.all(unknown.map((name) => this.#ready(name))).then(judgeAll);
    judgeAll();
    return undefined;
  }

  #isReady(name: string): boolean {
    const age = ageOf(this.#entries.get(name));
    if (age > FRESH) this.#read(name);
    return age <= OLD;
  }

  // Until it is known what there is to know, or for a moment. Never fails.
  async #ready(name: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise((resolve) => {
      timer = setTimeout(resolve, PATIENCE * 1000);
    });
    await Promise.race([this.#read(name), enough]);
    clearTimeout(timer);
  }

  #judge(job: Job): void {
    const schemas = this.#entries.get(job.function)?.schemas ?? [];
    if (schemas.length === 0) return;
    const args: unknown = JSON.parse(job.args);
    let first: Fault | undefined;
    for (const schema of schemas) {
      const fault = faultOf(schema, args);
      if (fault === undefined) return;
      first ??= fault;
    }
    const [, parameter] = /^\.([^.[]+)/.exec(first!.path) ?? [];
    throw new BadArguments(`args${oneLine(first!.path)}: ${oneLine(first!.reason)}`, job.function, parameter);
  }

  #read(name: string): Promise<Entry> {
    const under = this.#reading.get(name);
    if (under !== undefined) return under;
    const reading = this.#schemas(name)
      .catch(() => []) // who may not read it, or cannot, is not checked
      .then((schemas) => this.#keep(name, { schemas, readAt: now() }));
    this.#reading.set(name, reading);
    return reading;
  }

  #keep(name: string, entry: Entry): Entry {
    if (this.#entries.size >= MOST_NAMES) this.#entries.clear();
    this.#entries.set(name, entry);
    this.#reading.delete(name);
    return entry;
  }

  async #schemas(name: string): Promise<unknown[]> {
    const workers = (await this.#ask([['ZRANGEBYSCORE', this.keys.workers, 0, '+inf']]))[0] as Buffer[];
    const prefix = Buffer.from(this.keys.worker(''));
    const named = await this.#ask(workers.map((worker) => ['HGET', Buffer.concat([prefix, worker]), 'catalog']));
    const shas = new Set(named.filter((sha) => sha !== null).map(String));
    const entries = await this.#ask([...shas].map((sha) => ['HGET', this.keys.catalog(sha), name]));
    const schemas = entries.filter((entry) => entry !== null).map((entry) => parametersIn(String(entry)));
    return schemas.some(letsAllPass) ? [] : schemas;
  }

  async #ask(commands: (string | Buffer | number)[][]): Promise<(unknown | null)[]> {
    return this.transport.pipeline(commands, { repeat: true });
  }
}

function letsAllPass(schema: unknown): boolean {
  return schema === true || (typeof schema === 'object' && schema !== null && Object.keys(schema).length === 0);
}

function ageOf(entry: Entry | undefined): number {
  return entry === undefined ? Number.POSITIVE_INFINITY : now() - entry.readAt;
}

const now = (): number => performance.now() / 1000;
