/** Where in a value something stands, and what JSON cannot carry there. */

/** (where its parent stands, member name or index); the root is undefined. Linked: most paths are never said. */
export type Path = { readonly parent: Path; readonly step: string | number } | undefined;

/** How deep values may be nested, as in Python: what one language writes the other can read. */
export const DEEPEST = 990;
const LONGEST_REASON = 300;

/**
 * What JSON cannot carry, or cannot be read from it. Never leaves the package: callers make it their own error.
 *
 * `path`: where, for example ".items[3].owner", or "" for the whole; `reason`: one line, without the path.
 */
export class NotJson extends Error {
  override name = 'NotJson';
  readonly path: string;
  readonly reason: string;

  constructor(path: Path, reason: string) {
    super(`${textOfPath(path)}: ${reason}`);
    this.path = oneLine(textOfPath(path));
    this.reason = oneLine(reason);
  }
}

/** The text fit for a reason: one printable line of at most 300 characters, whatever a stranger put into it. */
export function oneLine(text: string): string {
  const short = text.slice(0, LONGEST_REASON + 1);
  const line = short
    .replace(/[^\P{C}]|[\p{Z}]/gu, ' ')
    .trim()
    .replace(/ +/g, ' ');
  return text.length <= LONGEST_REASON ? line : `${line.slice(0, LONGEST_REASON - 3)}...`;
}

function textOfPath(path: Path): string {
  const steps: string[] = [];
  for (let at = path; at !== undefined; at = at.parent) {
    steps.push(typeof at.step === 'number' ? `[${at.step}]` : `.${at.step}`);
  }
  return steps.reverse().join('');
}
