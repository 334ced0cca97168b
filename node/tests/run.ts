/**
 * Runs the test files whose path holds one of the words given, or else the tests whose name does; without a word, all.
 * `npm test -- transport`. Each file runs in a process of its own.
 */

import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
// `-k`, as pytest has it, so that `make test ARGS="-k promote"` says the same to both.
const words = process.argv.slice(2).filter((word) => word !== '-k');
const all = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.js'))
  .sort();
const chosen = all.filter((path) => words.some((word) => path.includes(word)));
const files = (chosen.length > 0 ? chosen : all).map((path) => join(here, path));

// Nothing of the developer's own settings reaches a test.
for (const name of Object.keys(process.env)) if (/^(DOSHIT_(?!TEST_)|REDIS_URL)/.test(name)) delete process.env[name];

run({
  files,
  concurrency: Math.max(2, Math.min(availableParallelism(), 4)),
  timeout: 300_000, // of a whole file; what hangs waits shorter
  ...(chosen.length > 0 ? {} : { testNamePatterns: words.map((word) => new RegExp(word, 'i')) }),
})
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
