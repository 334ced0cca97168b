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
  const [state, looked, items, problems, mark, queue] = reply as ClaimedReply;
  if (items === undefined) {
    return { state: text(state) as ClaimReply['state'], looked: 0, tasks: [], problems: [] };
  }
  return {
    state: 'claimed',
    looked,
    tasks: readTasks(items, mark.toString('latin1'), queue),
    problems: problems.map(([queue, why]) => [text(queue), text(why)]),
  };
}

type Item = Buffer | number | null;
type ClaimedReply = [Buffer, number, Item[], [Buffer, Buffer][], Buffer, Buffer];

const ONCE = Buffer.from('1');
const NEVER = Buffer.from('0');

// How many items the next task has, then these, and so on; of one with 3 the queue and the claim are known.
function readTasks(items: readonly Item[], mark: string, queue: Buffer): Claimed[] {
  const tasks: Claimed[] = [];
  for (let at = 0; at < items.length; at += 1 + (items[at] as number)) {
    const size = items[at] as number;
    const isShort = size === 3;
    const item = (n: number) => (n <= size ? items[at + n]! : null) as Buffer | null;
    tasks.push({
      id: items[at + 1] as Buffer,
      queue: isShort ? queue : (items[at + 2] as Buffer),
      claim: isShort ? Buffer.from(mark + (tasks.length + 1), 'latin1') : (items[at + 3] as Buffer),
      function: items[at + (isShort ? 2 : 4)] as Buffer,
      args: items[at + (isShort ? 3 : 5)] as Buffer,
      attempts: item(6) ?? ONCE,
      lost: item(7) ?? NEVER,
      timeLimit: item(8),
      memoryLimit: item(9),
      retries: item(10),
      retryDelay: item(11),
      retryBackoff: item(12),
      traceparent: item(13),
      username: item(14),
      retried: item(15),
    });
  }
  return tasks;
}

/** The reply of beat. */
export function readBeat(reply: unknown): Beat {
  const [state, held, stops] = reply as [Buffer, number?, Buffer[]?];
  return { state: text(state) as Beat['state'], held: held ?? 0, stops: stops ?? [] };
}
