/** Ids of tasks: uuid7 as text, sortable by time (RFC 9562, section 5.7). The clock and the randomness are handed in. */

// By table: padStart and toString for each part took three times as long, and each task needs an id.
const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The id of a moment: milliseconds since 1970 and 74 random bits, as numbers of 12, 30 and 32 bits. */
export function uuid7(milliseconds: number, [first, second, third]: readonly [number, number, number]): string {
  const time = milliseconds.toString(16).padStart(12, '0');
  // The two bits of the variant, 10, stand before the 30.
  const middle = `${hex(0x8000 + (second >>> 16))}-${hex(second & 0xffff)}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-${hex(0x7000 + first)}-${middle}${hex(third >>> 16)}${hex(third & 0xffff)}`;
}

/** 16 bits as four digits. */
function hex(value: number): string {
  return `${BYTES[value >>> 8]}${BYTES[value & 0xff]}`;
}
