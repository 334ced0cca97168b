/** Which prefixes, queue names and ids are allowed. Reads nothing, writes nothing. */

import { NAMES } from '../_protocol/tables.js';
import { ConfigurationError } from '../errors.js';
import { bytesOf } from './text.js';

const QUEUE = new RegExp(`^(?:${NAMES.queue.pattern})$`);
const PREFIX = new RegExp(`^(?:${NAMES.prefix.pattern})$`);
const RESERVED: ReadonlySet<string> = new Set(NAMES.queue.reserved);
const CHARACTERS = 'of the characters A-Z a-z 0-9 . _ -';

/** The name itself. Throws ConfigurationError when it cannot be a queue. */
export function checkQueue(name: string): string {
  if (typeof name !== 'string' || !QUEUE.test(name)) {
    throw new ConfigurationError(`queue name ${shown(name)}: use 1 to 64 ${CHARACTERS}`);
  }
  if (RESERVED.has(name)) {
    throw new ConfigurationError(
      `queue name ${shown(name)} is part of another key of the protocol; choose another name`,
    );
  }
  return name;
}

/** The prefix itself. Throws ConfigurationError when it cannot begin a key. */
export function checkPrefix(prefix: string): string {
  const most = NAMES.prefix.characters_max;
  if (typeof prefix !== 'string' || !prefix || prefix.length > most || !PREFIX.test(prefix)) {
    throw new ConfigurationError(`prefix ${shown(prefix)}: use 1 to ${most} ${CHARACTERS} and at most one {tag}`);
  }
  return prefix;
}

/** The id itself. Throws ConfigurationError when it is empty, longer than 255 bytes of UTF-8, or not text. */
export function checkId(id: string): string {
  if (typeof id !== 'string') throw new ConfigurationError(`task id ${shown(id)}: expected text`);
  const raw = bytesOf(id);
  if (raw === undefined) {
    throw new ConfigurationError(`task id ${shown(id)}: a lone surrogate cannot be written as UTF-8`);
  }
  const { bytes_min, bytes_max } = NAMES.id;
  const size = typeof raw === 'string' ? Buffer.byteLength(raw) : raw.length;
  if (size < bytes_min || size > bytes_max) {
    throw new ConfigurationError(`task id ${shown(id)}: ${bytes_min} to ${bytes_max} bytes`);
  }
  return id;
}

/** The name itself. Throws ConfigurationError when it is empty or not text: a function goes by its name. */
export function checkFunction(name: string): string {
  if (typeof name !== 'string' || !name) {
    throw new ConfigurationError(`function name ${shown(name)}: expected text, the name by which workers know it`);
  }
  return name;
}

const shown = (name: unknown): string => (typeof name === 'string' ? JSON.stringify(name.slice(0, 80)) : String(name));
