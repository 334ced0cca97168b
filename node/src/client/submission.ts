/** What is sent to submit tasks, and what the answers mean. Sends nothing. */

import { type Arg, type Call, submit } from '../commands/index.js';
import { type DoshitError, IdConflict, ServerError } from '../errors.js';
import type { Keys } from '../values/keys.js';
import { raw } from '../values/text.js';
import { formatTimestamp } from '../values/times.js';
import type { Job } from './job.js';

// What one script call and one round trip carry: enough to make the round trip cheap, little enough that other clients
// of the server never wait long for it.
const CALL_TASKS = 500;
const CALL_BYTES = 1 << 20;
const TRIP_CALLS = 8;

/** Numbered jobs of one queue, for one call. */
export type Batch = (readonly [at: number, job: Job])[];

/** The call that submits one task. replyTo: the channel that hears of its end, besides `results`. */
export function submitOne(keys: Keys, job: Job, replyTo: string | undefined): Call<string[]> {
  const fields = replyTo === undefined ? job.fields : [...job.fields, 'reply-to', replyTo];
  return submit(keys, job.queue, [[raw(job.id), job.function, job.args, job.delay, fields]]);
}

/** The call that submits the jobs of one batch, in their order. */
export function submitBatch(keys: Keys, batch: Batch): Call<string[]> {
  const tasks = batch.map(([, job]) => [raw(job.id), job.function, job.args, job.delay, job.fields] as const);
  return submit(keys, batch[0]![1].queue, tasks);
}

/** Jobs in batches for one call each: of one queue, at most 500 tasks and about 1 MB of arguments. */
export function* batches(jobs: Iterable<Job>): Generator<Batch> {
  const open = new Map<string, { batch: Batch; size: number }>();
  let at = 0;
  for (const job of jobs) {
    const line = open.get(job.queue) ?? { batch: [], size: 0 };
    line.batch.push([at++, job]);
    line.size += job.args.length;
    if (line.batch.length >= CALL_TASKS || line.size >= CALL_BYTES) {
      open.delete(job.queue);
      yield line.batch;
    } else open.set(job.queue, line);
  }
  for (const { batch } of open.values()) yield batch;
}

/** Batches in groups for one round trip each. */
export function* trips(some: Iterable<Batch>): Generator<Batch[]> {
  let group: Batch[] = [];
  for (const batch of some) {
    group.push(batch);
    const size = batch.reduce((sum, [, job]) => sum + job.args.length, 0);
    if (group.length === TRIP_CALLS || size >= CALL_BYTES) {
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}

/** The error for a word of submit that is neither "created" nor "exists". */
export function fault(keys: Keys, job: Job, word: string): DoshitError {
  if (word === 'conflict') return new IdConflict(job.id);
  return new ServerError(
    `${word}: key ${keys.task(job.id)} is no hash, so no task can have this id; choose another id, or remove the key`,
  );
}

// Where a user may not run scripts: the two plain commands of the protocol, after a look at what is there. Two clients
// that submit one id at the same moment are not told apart then; a worker runs it once all the same.

export function plainLook(keys: Keys, job: Job): Arg[] {
  return ['HMGET', raw(keys.task(job.id)), 'queue', 'state', 'function', 'args'];
}

/** The word that submit would say to what plainLook has found. */
export function plainWord(job: Job, there: readonly (Buffer | null)[]): string {
  const [queue, state, name, args] = there.map((value) => value?.toString() ?? null);
  if ((name ?? job.function) !== job.function || (args ?? job.args) !== job.args) return 'conflict';
  return queue !== null || state === 'executing' || state === 'finished' ? 'exists' : 'created';
}

/**
 * The commands, hash first.
 *
 * Without the field `queue`, which says "it is in the queue": the connection may be lost before the push.
 */
export function plainSubmission(keys: Keys, job: Job, now: Date): Arg[][] {
  const id = raw(job.id);
  const made = ['HSET', raw(keys.task(job.id)), 'function', job.function, 'state', 'pending', 'args', job.args];
  made.push('pending-created', formatTimestamp(now), ...job.fields);
  if (job.delay === 'front') return [made, ['RPUSH', keys.pending(job.queue), id]];
  if (!job.delay) return [made, ['LPUSH', keys.pending(job.queue), id]];
  const due = Math.floor(now.getTime() + Number(job.delay) * 1000);
  return [made, ['SADD', keys.queues, job.queue], ['ZADD', keys.scheduled(job.queue), due, id]];
}
