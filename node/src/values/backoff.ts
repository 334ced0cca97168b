/** How long to wait before trying again. Reads no clock; randomness is handed in. */

/** factor: from one wait to the next, 2 if absent; ceiling: the longest, 3600; jitter: a random number from 0 to 1. */
export interface BackoffOptions {
  readonly factor?: number | undefined;
  readonly ceiling?: number | undefined;
  readonly jitter?: number | undefined;
}

/**
 * Seconds before try number attempt + 1, attempt counted from 1: first * factor ** (attempt - 1), at most ceiling.
 * When jitter is given, the wait lies between half of that and all of it.
 */
export function backoff(
  attempt: number,
  first: number,
  { factor = 2, ceiling = 3600, jitter = 0 }: BackoffOptions = {},
): number {
  if (attempt < 1 || first <= 0) return 0;
  const wait = Math.min(first * factor ** (attempt - 1), ceiling);
  return wait * (1 - jitter / 2);
}
