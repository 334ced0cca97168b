/** Waits for conditions, never for time. */

import { setTimeout as pause } from 'node:timers/promises';

/** Looks until `look` answers something true, and returns it. Throws after `seconds`, naming `what`. */
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

/** Tries a check until it throws nothing. After `seconds` it throws what the check threw last. */
export async function eventually(check: () => Promise<void>, seconds = 20): Promise<void> {
  for (const end = performance.now() + seconds * 1000; ; await pause(10)) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}
