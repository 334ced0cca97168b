/** Which slot of a cluster the keys of an app lie in. Pure. */

const SLOTS = 16_384;

/** The slot of every key of an app; undefined for a prefix without a {tag}, whose keys lie in many. */
export function slotOf(prefix: string): number | undefined {
  const tag = /\{([^}]+)\}/.exec(prefix)?.[1];
  return tag === undefined ? undefined : crc16(Buffer.from(tag)) % SLOTS;
}

/** CRC-16/XMODEM, which Redis Cluster uses. */
function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}
