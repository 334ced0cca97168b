/** The version of this package. */

import { readFileSync } from 'node:fs';

/** As package.json has it; "0" where there is none, as in a bundle. */
export function version(): string {
  for (const up of ['../../../', '../../../../']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8'));
      if (name === 'doshit') return version;
    } catch {
      // not there
    }
  }
  return '0';
}
