/**
 * Which of the jobs that a child was given have begun: one word, moved by its main thread and by its watchdog.
 *
 * Jobs count from 1, in the order in which they were given. To move the word past a job is to begin it, or to take it
 * back; so each is done by exactly one side, also while the main thread is in a loop.
 */

/** What the threads of a child share: a place for each. */
export const SIGN = {
  ANSWERS: 0, // counts the answers of the main thread to its watchdog
  ENTERED: 1, // the number of the run whose handler was begun last
  GATE: 2, // the last job that has begun or was taken back
} as const;

/** Made once for a child. */
export const newSigns = (): Int32Array => new Int32Array(new SharedArrayBuffer(12));

/** Begins the next job. False: it was taken back. */
export function beginNext(signs: Int32Array, job: number): boolean {
  return Atomics.compareExchange(signs, SIGN.GATE, job - 1, job) === job - 1;
}

/** Takes back all up to `last` that has not begun. Returns how many have. */
export function takeBack(signs: Int32Array, last: number): number {
  for (;;) {
    const begun = Atomics.load(signs, SIGN.GATE);
    if (begun >= last || Atomics.compareExchange(signs, SIGN.GATE, begun, last) === begun) return begun;
  }
}
