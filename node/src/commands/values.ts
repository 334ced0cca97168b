/** The values that go into calls and come out of replies. Bytes stay bytes: no id is decoded on the way. */

/** One word of a command. Text goes as UTF-8, a number as its decimal text. */
export type Arg = string | Buffer | number;

/** A task to submit. delay: seconds, "front" or "". fields: flat names and values. */
export type Submitted = readonly [id: Arg, functionName: Arg, args: Arg, delay: Arg, fields: readonly Arg[]];

/** The end of one run. fields: only the result-value of a success; or flat, `result` and its value first. */
export type End = readonly [id: Arg, claim: Arg, fields: readonly Arg[]];

/** A task to give back. delay: seconds, or "" for the front at once. begun: whether its run began. */
export type Released = readonly [id: Arg, claim: Arg, delay: Arg, begun: boolean];

/** A task to run again in `delay` seconds. failure: a JSON object with attempt, code and reason; "" keeps none. */
export type Retried = readonly [id: Arg, claim: Arg, delay: Arg, failure: Arg];

/** A task whose function the worker lacks. */
export type Unserved = readonly [id: Arg, claim: Arg, functionName: Arg];

/** A piece of what a run printed. stream: "stdout", "stderr" or "log". time: a timestamp. */
export type Entry = readonly [stream: Arg, time: Arg, text: Arg];

/** What one running task tells. progress: JSON, or "" for none. */
export type Note = readonly [id: Arg, claim: Arg, progress: Arg, entries: readonly Entry[]];

/** A task that claim gave to this worker, as bytes. The last 8 are null where the task does not say. */
export interface Claimed {
  readonly id: Buffer;
  readonly queue: Buffer;
  readonly claim: Buffer;
  readonly function: Buffer;
  readonly args: Buffer;
  readonly attempts: Buffer;
  readonly lost: Buffer;
  readonly timeLimit: Buffer | null;
  readonly memoryLimit: Buffer | null;
  readonly retries: Buffer | null;
  readonly retryDelay: Buffer | null;
  readonly retryBackoff: Buffer | null;
  readonly traceparent: Buffer | null;
  readonly username: Buffer | null;
  readonly retried: Buffer | null;
}

/** looked: how many entries were taken off. problems: queues that could not be used, and what Redis said of each. */
export interface ClaimReply {
  readonly state: 'claimed' | 'sealed' | 'unknown';
  readonly looked: number;
  readonly tasks: readonly Claimed[];
  readonly problems: readonly (readonly [queue: string, why: string])[];
}

/** held: how many tasks Redis says this worker holds. stops: claims whose runs shall end. */
export interface Beat {
  readonly state: 'ok' | 'sealed' | 'unknown';
  readonly held: number;
  readonly stops: readonly Buffer[];
}
