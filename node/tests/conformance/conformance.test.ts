/** Runs every case of protocol/conformance, and says how many have passed. Waits for conditions, never for time. */

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { type Server, startServer } from '../helpers/server.js';
import { eventually, until } from '../helpers/until.js';
import { Command } from '../host/helper.js';
import { call, VALUES } from './bindings.js';
import { assertWorld, cases, type Data, read, seed, toBytes, toRaw } from './vectors.js';

const END_OF_STEP = 'doshit:end-of-step';

/** Where cases are told: a server, its live workers, and what was heard. */
class Stage {
  readonly #plain: Redis;
  readonly #ear: Redis;
  readonly #workers = new Map<string, Command>();
  readonly #heard: string[][] = [];

  constructor(private readonly server: Server) {
    [this.#plain, this.#ear] = [server.plain(), server.plain()];
    this.#ear.on('pmessageBuffer', (_: string, ...message: Buffer[]) => this.#heard.push(toRaw(message)));
  }

  /** Tells a case from an empty server to its end; whatever then still runs is ended. */
  async play(one: Data): Promise<void> {
    const world = one.world ? one.worlds[one.world] : {};
    await this.#ear.psubscribe('doshit:*');
    await this.#plain.config('SET', 'maxmemory', 0);
    await this.#plain.flushall();
    await seed(this.#plain, { ...world, ...one.given });
    for (const setting of Object.entries<Data>(one.config ?? {})) await this.#plain.config('SET', ...setting);
    try {
      for (const step of one.steps) await this.#tell(step, one, world);
    } finally {
      await Promise.all([...this.#workers.values()].map((worker) => end(worker, 'SIGKILL')));
    }
  }

  async #tell(step: Data, one: Data, world: Data): Promise<void> {
    const before = (await this.#messages()).length;
    if (step.start) this.#workers.set(step.start, started(this.server, step));
    else if (step.stop) assert.equal(await end(this.#workers.get(step.stop)!, 'SIGTERM'), 0);
    else if (step.kill) await end(this.#workers.get(step.kill)!, 'SIGKILL');
    else if (step.until) await eventually(() => this.#check(step.until), step.within);
    else await this.#check(step, one);
    if (step.published) assert.deepEqual((await this.#messages()).slice(before), toRaw(step.published));
    if (step.keyspace) await assertWorld(this.#plain, { ...world, ...step.keyspace });
  }

  async #check(step: Data, one: Data = {}): Promise<void> {
    if (step.heard ?? step.heard_in_order) return assertHeard(await this.#messages(), step);
    const [name, ...args] = (step.redis ?? []).map(toBytes);
    const replying = step.redis ? this.#plain.callBuffer(String(name), args) : call(this.#plain, step, one);
    if ('error' in step) return assert.rejects(replying, (error: Error) => error.message.includes(step.error));
    const reply = toRaw(await replying);
    if ('reply' in step) assert.deepEqual(reply, toRaw(step.reply));
    if (step.pattern) assert.match(String(reply), new RegExp(step.pattern));
    if (step.holds) assert.ok(String(reply).includes(step.holds), `${reply}`);
  }

  /** What was heard until now. A message of its own marks the moment, so nothing waits for time. */
  async #messages(): Promise<string[][]> {
    const mark = `${performance.now()}`;
    await this.#plain.publish(END_OF_STEP, mark);
    await until(() => this.#heard.some(([, payload]) => payload === mark), { what: 'the message that ends a step' });
    return this.#heard.filter(([channel]) => channel !== END_OF_STEP);
  }
}

/** A live worker as its users start it. */
function started(server: Server, step: Data): Command {
  const { functions = 'all', queues = ['default'], unknown_grace = 30, concurrency = 2 } = step;
  const target = fileURLToPath(new URL(functions === 'echo' ? 'tasks-echo.js' : 'tasks.js', import.meta.url));
  const words = ['worker', target, '-c', String(concurrency)];
  words.push('--redis', server.url, '--prefix', 'doshit', '--unknown-grace', String(unknown_grace));
  return new Command([...words, ...queues.flatMap((name: string) => ['-q', name])]);
}

const end = ({ process, exited }: Command, signal: NodeJS.Signals) => process.kill(signal) && exited;

function assertHeard(messages: string[][], { heard, times, heard_in_order: [channel, ordered] = [] }: Data): void {
  const wanted = toRaw(ordered?.map((payload: Data) => [channel, payload]) ?? [heard]).map(String);
  const found = messages.map(String).filter((one) => wanted.includes(one));
  if (ordered) assert.deepEqual(found, wanted);
  else assert.ok(times === undefined ? found.length > 0 : found.length === times, `${heard}: ${found.length} times`);
}

const stage = new Stage(await startServer());
const FOLDERS = [
  { name: 'values', tell: (one: Data, file: string) => VALUES[file]!(one) },
  { name: 'commands', tell: (one: Data) => stage.play(one) },
  { name: 'stories', tell: async (one: Data) => new Stage(await startServer()).play(one) },
].map((folder) => ({ ...folder, all: cases(folder.name), passed: 0 }));

after(() => {
  const sum = FOLDERS.reduce((total, { passed }) => total + passed, 0);
  console.log(`conformance: ${sum} cases, ${FOLDERS.map(({ name, passed }) => `${passed} ${name}`).join(', ')}`);
});

for (const folder of FOLDERS) {
  // Stories wait more than they work.
  describe(folder.name, { concurrency: folder.name === 'stories' ? 4 : 1 }, () => {
    for (const [name, one] of folder.all) {
      test(name, async () => {
        await folder.tell(one, name.split(':')[0]!);
        folder.passed += 1;
      });
    }
  });
}

test('every edge and every printed command of the protocol is a case', () => {
  const covered = FOLDERS.flatMap(({ all }) => [...all.values()].flatMap((one) => one.covers ?? []));
  assert.deepEqual([...new Set(covered)].sort(), [...read('rows.json').rows].sort());
});
