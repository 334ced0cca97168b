/**
 * What the kernel is asked of processes: who belongs to whom, what they use; and the end of whole families.
 *
 * Only Linux answers. A process that has left its parent, its process group and its environment at once is found by
 * nobody: Node cannot make itself the parent of orphans.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** The environment variable that all of a family inherit. */
export const MARK = 'DOSHIT_FAMILY';

const ROUNDS = 100; // looks for newcomers while a family is stopped: a fork bomb is met by a bound
const TICK = 100; // clock ticks a second, as Linux tells them to all programs

function quietly<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

const read = (path: string): string => quietly(() => readFileSync(path, 'latin1'), '');
const list = (path: string): string[] => quietly(() => readdirSync(path), []);

/** The fields of proc(5), stat, from the state on; none where there is no such process. */
const statOf = (pid: number): string[] =>
  read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');

/** Is it there, and no zombie? */
export const isAlive = (pid: number): boolean => !['', 'Z', 'X'].includes(statOf(pid)[0]!);

/** The processes whose parent this one is. */
export function childrenOf(pid: number): number[] {
  const lines = list(`/proc/${pid}/task`).map((thread) => read(`/proc/${pid}/task/${thread}/children`));
  return lines.flatMap((line) => line.split(' ').filter(Boolean).map(Number));
}

/** All that is below these processes. */
export function descendants(pids: Iterable<number>): Set<number> {
  const found = new Set<number>();
  const look = [...pids];
  for (let pid = look.pop(); pid !== undefined; pid = look.pop()) {
    const fresh = childrenOf(pid).filter((child) => !found.has(child));
    for (const child of fresh) found.add(child);
    look.push(...fresh);
  }
  return found;
}

/** All that belongs to the family of a process: below it, of its process group, or with its mark. Not itself. */
export function familyOf(pid: number, mark: string): Set<number> {
  const found = descendants([pid]);
  for (const name of list('/proc')) {
    const other = Number(name);
    if (Number.isInteger(other) && !found.has(other) && isOf(other, pid, mark)) found.add(other);
  }
  for (const below of descendants(found)) found.add(below);
  found.delete(pid);
  return found;
}

function isOf(other: number, group: number, mark: string): boolean {
  const [state, , pgrp] = statOf(other);
  if (state === undefined || state === 'Z') return false;
  return Number(pgrp) === group || read(`/proc/${other}/environ`).split('\0').includes(`${MARK}=${mark}`);
}

/**
 * SIGKILLs the family of a process, but for `spare` and what is below that. Returns who was killed.
 *
 * They are stopped first, so that none can have a child that is missed.
 */
export function killBelow(pid: number, mark: string, spare: ReadonlySet<number> = new Set()): Set<number> {
  const spared = new Set([...spare, ...descendants(spare), process.pid]);
  const stopped = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    const fresh = [...familyOf(pid, mark)].filter((one) => !stopped.has(one) && !spared.has(one));
    if (fresh.length === 0) break;
    for (const one of fresh) stopped.add(one);
    signal(fresh, 'SIGSTOP');
  }
  signal(stopped, 'SIGKILL');
  return stopped;
}

/** SIGKILLs a process and its family. */
export function killFamily(pid: number, mark: string): void {
  signal([pid], 'SIGSTOP');
  killBelow(pid, mark);
  signal([pid], 'SIGKILL');
}

function signal(pids: Iterable<number>, name: NodeJS.Signals): void {
  for (const pid of pids) quietly(() => process.kill(pid, name), false);
}

/** The anonymous memory of processes, 0 where /proc does not tell (proc(5), RssAnon). */
export function anonymousBytes(pids: Iterable<number>): number {
  let sum = 0;
  for (const pid of pids) sum += statusBytes(pid, 'RssAnon');
  return sum;
}

/** What these have written and share with no other process: of a forked copy, only what it has changed since. */
export function privateBytes(pids: Iterable<number>): number {
  let sum = 0;
  for (const pid of pids) sum += bytesIn(read(`/proc/${pid}/smaps_rollup`), 'Private_Dirty');
  return sum;
}

/** The resident memory of a process. */
export const residentBytes = (pid: number): number => statusBytes(pid, 'VmRSS');

/** The most resident memory since resetPeak(), or since it began (proc(5), VmHWM). */
export const peakBytes = (pid: number): number => statusBytes(pid, 'VmHWM');

/** Begins to measure the peak of this process's memory anew (proc(5), clear_refs). */
export const resetPeak = (): void => quietly(() => writeFileSync('/proc/self/clear_refs', '5'), undefined);

/** Seconds of processor time that a process has used. */
export function processorSeconds(pid: number): number {
  const [user, system] = statOf(pid).slice(11, 13);
  return (Number(user ?? 0) + Number(system ?? 0)) / TICK;
}

const statusBytes = (pid: number, name: string): number => bytesIn(read(`/proc/${pid}/status`), name);

const bytesIn = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
