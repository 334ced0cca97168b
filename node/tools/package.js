/**
 * Checks what npm would publish: the files of the package, and what publint says of them. Publishes nothing.
 *
 * Builds into a copy in a temp folder, so neither `dist` nor anything else here changes. Ends with 1, and a line for
 * each fault.
 */

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const COPIED = ['src', 'package.json', 'README.md', 'LICENSE', 'tsconfig.json', 'tsconfig.build.json', '.npmrc'];
const ALWAYS = ['LICENSE', 'README.md', 'package.json'];

/** The faults of the package as it would be packed out of a folder. */
async function faultsOf(folder) {
  run(folder, 'npx', ['--no-install', 'tsc', '-p', 'tsconfig.build.json']);
  const [packed] = JSON.parse(run(folder, 'npm', ['pack', '--dry-run', '--json', '--ignore-scripts']));
  const paths = packed.files.map((file) => file.path);
  const surplus = paths.filter((path) => !ALWAYS.includes(path) && !/^dist\/.*(\.js|\.d\.ts)$/.test(path));
  return [
    ...surplus.map((path) => `${path} would be published; see "files" in package.json`),
    ...missing(folder, paths).map((path) => `${path} would not be published`),
    ...unmarked(folder),
    ...(await publintFaults(folder)),
  ];
}

/** What a user needs of the package and would not get. */
function missing(folder, paths) {
  const { exports, bin } = readJson(folder);
  const entries = Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  );
  const wanted = [...ALWAYS, ...entries, ...Object.values(bin)].map((path) => relative('.', path));
  const typed = paths.filter((path) => path.endsWith('.js')).map((path) => path.replace(/\.js$/, '.d.ts'));
  return [...new Set([...wanted, ...typed])].filter((path) => !paths.includes(path));
}

/** Programs that a shell could not start. */
function unmarked(folder) {
  const programs = Object.values(readJson(folder).bin).filter((path) => existsSync(join(folder, path)));
  const bare = programs.filter((path) => !readFileSync(join(folder, path), 'utf8').startsWith('#!/usr/bin/env node\n'));
  return bare.map((path) => `${path} does not begin with "#!/usr/bin/env node"`);
}

async function publintFaults(folder) {
  const { publint } = await import('publint');
  const { formatMessage } = await import('publint/utils');
  const { messages } = await publint({ pkgDir: folder, pack: false });
  return messages.map((message) => `publint: ${formatMessage(message, readJson(folder), { color: false })}`);
}

const readJson = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

function run(folder, program, words) {
  return execFileSync(program, words, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

const folder = mkdtempSync(join(tmpdir(), 'doshit-package-'));
try {
  for (const name of COPIED) cpSync(join(PACKAGE, name), join(folder, name), { recursive: true });
  symlinkSync(join(PACKAGE, 'node_modules'), join(folder, 'node_modules'));
  const faults = await faultsOf(folder);
  for (const fault of faults) console.error(`package: ${fault}`);
  process.exitCode = faults.length > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
