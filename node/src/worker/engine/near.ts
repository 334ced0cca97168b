/** Finds the names that somebody may have meant. Knows no function. */

const SHOWN = 3;
const ALL = 5;

/** One line that names a function that nobody serves, and the nearest ones there are. */
export function unknownReason(name: string, known: readonly string[]): string {
  const sorted = [...known].sort();
  const near = sorted
    .map((one) => ({ one, distance: distanceOf(name.slice(0, 100), one.slice(0, 100)) }))
    .filter(({ one, distance }) => distance <= Math.max(name.length, one.length) / 2)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SHOWN)
    .map(({ one }) => one);
  const kind = near.length > 0 ? 'did you mean' : 'this worker serves';
  const shown = (near.length > 0 ? near : sorted.slice(0, ALL)).join(', ') || 'none';
  return `no worker serves a function ${JSON.stringify(name.slice(0, 100))}; ${kind} ${shown}`;
}

/** How many characters have to be added, removed or changed. */
function distanceOf(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (const [i, mark] of [...left].entries()) {
    const next = [i + 1];
    for (let j = 0; j < right.length; j++) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + Number(mark !== right[j])));
    }
    row = next;
  }
  return row[right.length]!;
}
