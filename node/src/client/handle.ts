/** What a caller holds of a task that was submitted. Keeps no result: every question is asked of Redis. */

import { TaskVanished } from '../errors.js';
import { raw } from '../values/text.js';
import { type OutputLine, outputLines, type Progress, progressOf, TaskInfo } from './info.js';
import * as plans from './plans.js';
import type { WaitOptions } from './side.js';

/** signal: ends it with its reason. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

// Seconds between two looks at the progress of a task: a run's own are sent on about as often.
const GLANCE = 0.25;

/** One task, by its id. R: what its function returns. Cheap to make and to keep. */
export class Handle<out R = unknown> {
  readonly id: string;
  readonly #app: plans.Place;
  readonly #known: boolean;
  #heard: number | undefined;
  declare readonly [RETURNS]?: R;

  /** Made by enqueue() and handle(). known: it has been in Redis; heard: since when its end is listened for. */
  constructor(app: plans.Place, id: string, known = false, heard?: number) {
    this.#app = app;
    this.id = id;
    this.#known = known;
    this.#heard = heard;
  }

  /**
   * Waits for the end and returns the task's result. A lost connection is mended meanwhile.
   *
   * `timeout`: seconds, 0 for a single look, absent to wait for ever; `bigint`: integers past 2^53 - 1 become BigInts
   * and are no error. Throws TaskFailed; WaitTimeout; TaskVanished, for an id that nobody has seen yet after 5 s;
   * BadValue when what its worker wrote cannot be read; ServerUnavailable when Redis stays away for 60 s of a wait
   * without timeout; ConfigurationError for a timeout that is no number; and the reason of `signal`.
   */
  async result(options: WaitOptions = {}): Promise<R> {
    return (await this.#app.side.wait(this.id, this.#known, this.#heard, options)) as R;
  }

  /** `pending` (also while delayed), `executing` or `finished`. Throws TaskVanished. */
  async state(): Promise<string> {
    // A hash without state is pending; the other two tell whether there is a hash.
    const [state, ...others] = await this.#fields('state', 'function', 'args');
    if (!state && !others.some(Boolean)) throw new TaskVanished(this.id);
    return state?.toString() ?? 'pending';
  }

  /** All that its hash says now. Throws TaskVanished. */
  async info(): Promise<TaskInfo> {
    const flat = await this.#app.side.transport.command(['HGETALL', this.#key], { repeat: true });
    if ((flat as Buffer[]).length === 0) throw new TaskVanished(this.id);
    return new TaskInfo(this.id, flat as Buffer[]);
  }

  /**
   * Asks that it need not be done, and says what became of that, as one word:
   *
   * "cancelled": it has not run and will not, that is its end; "asked": it runs, and its worker has been told to end
   * the run; "finished": it was over already; "unknown": it is not in Redis. Cancelled tasks fail with the code
   * "cancelled". A user of the URL who may not run scripts always hears "asked".
   */
  async cancel(): Promise<string> {
    const [word = 'unknown'] = await plans.cancelAll(this.#app, [this.id]);
    return word;
  }

  /** Runs it again as if it were new, if it has failed; false if it has not. Throws TaskVanished. */
  async retry(): Promise<boolean> {
    this.#heard = undefined; // its end will be another one
    return plans.requeueOne(this.#app, this.id);
  }

  /**
   * How far it says it is, now and each time that it says something new, until it ends.
   *
   * It is looked at every 0.25 s. Throws TaskVanished, ServerError, and the reason of `signal`.
   */
  async *progress({ signal }: Abortable = {}): AsyncGenerator<Progress, void, undefined> {
    let last: string | undefined;
    for (;;) {
      const looking = this.#fields('state', 'progress', 'function', 'args');
      const [state, progress, ...others] = await this.#app.side.within(looking, signal);
      if (!state && !others.some(Boolean)) throw new TaskVanished(this.id);
      const text = progress?.toString();
      const said = progressOf(text ?? null);
      if (said !== null && text !== last) yield said;
      last = text;
      if (state?.toString() === 'finished') return;
      await this.#app.side.rest(GLANCE, signal);
    }
  }

  /** What it has printed and logged until now, the oldest first, as much of it as is kept. Throws TaskVanished. */
  async output(): Promise<OutputLine[]> {
    const log = ['XRANGE', raw(this.#app.keys.log(this.id)), '-', '+', 'COUNT', plans.OUTPUT_ENTRIES];
    const asked = [log, ['EXISTS', this.#key]];
    const [entries, there] = await this.#app.side.transport.pipeline(asked, { repeat: true });
    const lines = outputLines(entries as [Buffer, Buffer[]][]);
    if (lines.length === 0 && !there) throw new TaskVanished(this.id);
    return lines;
  }

  get #key(): string | Buffer {
    return raw(this.#app.keys.task(this.id));
  }

  #fields(...names: string[]): Promise<(Buffer | null)[]> {
    return this.#app.side.transport.fields(this.#key, names);
  }
}

declare const RETURNS: unique symbol;
