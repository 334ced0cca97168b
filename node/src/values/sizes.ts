/** Sizes in bytes, as numbers and as people write them: 200MB, 64KiB. Measures nothing. */

const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['B', 1],
  ['KB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['KIB', 2 ** 10],
  ['MIB', 2 ** 20],
  ['GIB', 2 ** 30],
]);
const SIZE = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)$/;

/** What fits into the 15 digits of the protocol. */
export const MOST = 1e15 - 1;

/**
 * A size in bytes, from a number of bytes or text: KB, MB, GB count by 1000, KiB, MiB, GiB by 1024.
 *
 * Throws RangeError below 0, above 15 digits, and for text that is no size.
 */
export function sizeOf(size: number | string): number {
  const bytes = typeof size === 'string' ? read(size) : size;
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > MOST) {
    throw new RangeError(`${JSON.stringify(size)} is no size: give bytes, or text such as 200MB or 64KiB`);
  }
  return bytes;
}

function read(text: string): number {
  const [, digits, unit = ''] = SIZE.exec(text.trim()) ?? [];
  return digits === undefined ? Number.NaN : Math.round(Number(digits) * (UNITS.get(unit.toUpperCase()) ?? Number.NaN));
}
