/** What a worker tells of its functions, one JSON text for each: names and reads it. Knows no Redis. */

import { createHash } from 'node:crypto';

/** The 16 hex digits that name a catalog. entries: each function's name and its entry as JSON text, in any order. */
export function catalogSha(entries: Iterable<readonly [name: string, json: string]>): string {
  const hash = createHash('sha256');
  const named = [...entries].map(([name, json]) => [Buffer.from(name), json] as const);
  for (const [name, json] of named.sort(([left], [right]) => left.compare(right))) {
    hash.update(name).update('\0').update(json).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

/** The schema of the parameters in an entry that anybody may have written; true, which all passes, where it says none. */
export function parametersIn(entry: string): unknown {
  try {
    return JSON.parse(entry).parameters ?? true;
  } catch {
    return true;
  }
}
