/** How a worker's log looks: lines for a person, or one JSON object a line. Writes to stderr. */

import type { Level, Log } from '../worker/engine/log.js';

/** Control characters made visible: what comes from Redis must not forge a line or steer a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (mark) => {
    const quoted = JSON.stringify(mark).slice(1, -1);
    return quoted === mark ? `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}` : quoted;
  });
}

/** A log. verbose: debug lines too. */
export function makeLog(format: 'console' | 'json', verbose: boolean): Log {
  const line = format === 'json' ? asJson : forPeople;
  return (level, message) => {
    if (verbose || level !== 'debug') process.stderr.write(line(level, message));
  };
}

function forPeople(level: Level, message: string): string {
  const when = new Date().toTimeString().slice(0, 8);
  const mark = level === 'warning' || level === 'error' ? `${level}: ` : '';
  return `${when} ${mark}${printable(message)}\n`;
}

function asJson(level: Level, message: string): string {
  return `${JSON.stringify({ time: Date.now() / 1000, level, logger: 'doshit.worker', message })}\n`;
}
