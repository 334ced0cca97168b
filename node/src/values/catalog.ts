/** The name of a catalog, made of what a worker tells of its functions. Knows no Redis. */

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
