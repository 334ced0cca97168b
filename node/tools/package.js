/**
 * Checks what npm would publish: its files, what publint says of them, and that a strict project compiles with it.
 * Publishes nothing.
 *
 * Builds into a copy in a temp folder, so neither `dist` nor anything else here changes. Ends with 1, and a line for
 * each fault.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
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
    ...consumerFaults(folder),
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

// Every declaration of the package is looked at, by both ways in which projects find modules.
const STRICT = ['--strict', '--noEmit', '--skipLibCheck', 'false', '--types', 'node', '--target', 'es2022'];
const RESOLVED = [
  ['--module', 'nodenext'],
  ['--module', 'esnext', '--moduleResolution', 'bundler'],
];

/** What the compiler says of a project that uses the package. */
function consumerFaults(folder) {
  const project = join(folder, 'consumer');
  mkdirSync(join(project, 'node_modules'), { recursive: true });
  symlinkSync(folder, join(project, 'node_modules', 'doshit'));
  symlinkSync(join(PACKAGE, 'node_modules', '@types'), join(project, 'node_modules', '@types'));
  cpSync(join(PACKAGE, 'tools', 'consumer.ts'), join(project, 'consumer.mts'));
  const tsc = join(PACKAGE, 'node_modules', 'typescript', 'bin', 'tsc');
  return RESOLVED.flatMap((how) => {
    const { stdout } = spawnSync(process.execPath, [tsc, ...STRICT, ...how, 'consumer.mts'], {
      cwd: project,
      encoding: 'utf8',
    });
    return stdout.split('\n').filter(Boolean);
  });
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
