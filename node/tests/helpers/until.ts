/** Waits for conditions, never for time. */

import { setTimeout as pause } from 'node:timers/promises';

/** Looks until `look` answers something true, and returns it. Throws after `seconds`, with what was looked at last. */
export async function until<T>(
  look: () => T | Promise<T>,
  { seconds = 20, what = 'the condition' }: { seconds?: number; what?: string } = {},
): Promise<Exclude<T, undefined | null | false | 0 | ''>> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return seen as Exclude<T, undefined | null | false | 0 | ''>;
    if (performance.now() > end) throw new Error(`${what} does not hold after ${seconds} s`);
    await pause(10);
  }
}
