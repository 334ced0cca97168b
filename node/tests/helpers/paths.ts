/** Where things lie, seen from the compiled tests. */

import { fileURLToPath } from 'node:url';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The folder of the package, with package.json in it. */
export const PACKAGE = at('../../../');
/** The folder of the repository. */
export const ROOT = at('../../../../');
/** The sources of the tests, for files that are not compiled. */
export const SOURCES = `${PACKAGE}tests/`;
/** The compiled package: what `src` became for the tests. */
export const COMPILED = `${PACKAGE}build/src/`;
