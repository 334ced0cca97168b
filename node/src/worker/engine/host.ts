/** What this machine tells of itself and its processes. Only Linux answers all of it; what it does not tell is "". */

import { readFileSync, readlinkSync } from 'node:fs';

const quietly = (look: () => string): string => {
  try {
    return look();
  } catch {
    return '';
  }
};

/** The id of this boot of the kernel (random(4), boot_id). */
export const boot = (): string => quietly(() => readFileSync('/proc/sys/kernel/random/boot_id', 'ascii').trim());

/** Which pid namespace this process sees: only within one does a pid mean anything. */
export const pidNamespace = (): string => quietly(() => readlinkSync('/proc/self/ns/pid'));

/** The fields of proc(5), stat, from the state on. */
const stat = (pid: number): string[] =>
  quietly(() => readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '')).split(' ');

/** When a process started, in clock ticks since the boot. */
export const started = (pid: number): string => stat(pid)[19] ?? '';

/** Whether the process with this pid and start has ended. One that may not be looked at counts as living. */
export function isGone(pid: number, born: string): boolean {
  const now = started(pid);
  if (now) return now !== born || stat(pid)[0] === 'Z';
  try {
    process.kill(pid, 0); // /proc hides the processes of others where it is mounted so (proc(5), hidepid)
  } catch (error) {
    return (error as { code?: string }).code === 'ESRCH';
  }
  return false;
}
