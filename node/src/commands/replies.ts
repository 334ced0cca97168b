/** Reads what scripts answer. Words and reasons become text, ids and args stay bytes. */

import type { Beat, Claimed, ClaimReply } from './values.js';

const text = (item: unknown): string => String(item);

/** A reply of words. */
export function readWords(reply: unknown): string[] {
  return (reply as Buffer[]).map(text);
}

/** A reply of words and numbers. */
export function readMixed(reply: unknown): (string | number)[] {
  return (reply as (Buffer | number)[]).map((item) => (typeof item === 'number' ? item : text(item)));
}

/** The reply of claim. */
export function readClaim(reply: unknown): ClaimReply {
  const [state, looked, tasks, problems] = reply as [Buffer, number, Buffer[][], [Buffer, Buffer][]];
  if (tasks === undefined) {
    return { state: text(state) as ClaimReply['state'], looked: 0, tasks: [], problems: [] };
  }
  return {
    state: 'claimed',
    looked,
    tasks: tasks.map(readTask),
    problems: problems.map(([queue, why]) => [text(queue), text(why)]),
  };
}

const NO_WISHES: readonly null[] = [];

function readTask(task: (Buffer | null)[]): Claimed {
  // A task of no wishes is 7 items, one that has some is 15.
  const [id, queue, claim, name, args, attempts, lost] = task as Buffer[];
  const [timeLimit, memoryLimit, retries, retryDelay, retryBackoff, traceparent, username, retried] =
    task.length > 7 ? task.slice(7) : NO_WISHES;
  return {
    id: id!,
    queue: queue!,
    claim: claim!,
    function: name!,
    args: args!,
    attempts: attempts!,
    lost: lost!,
    timeLimit: timeLimit ?? null,
    memoryLimit: memoryLimit ?? null,
    retries: retries ?? null,
    retryDelay: retryDelay ?? null,
    retryBackoff: retryBackoff ?? null,
    traceparent: traceparent ?? null,
    username: username ?? null,
    retried: retried ?? null,
  };
}

/** The reply of beat. */
export function readBeat(reply: unknown): Beat {
  const [state, held, stops] = reply as [Buffer, number?, Buffer[]?];
  return { state: text(state) as Beat['state'], held: held ?? 0, stops: stops ?? [] };
}
