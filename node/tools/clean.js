/** Empties folders of compiled files, so that what was deleted in the sources is not tested or published. */

import { rmSync } from 'node:fs';

for (const folder of process.argv.slice(2)) rmSync(folder, { recursive: true, force: true });
