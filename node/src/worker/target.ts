/** Imports the files that a worker serves, and takes their functions. Runs nothing of them but their import. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigurationError, DoshitError } from '../errors.js';
import { type Functions, functionsOf, type Ready } from './functions.js';

/** A file of the user's that threw while it was imported; `text` is its own stack. */
export class ImportFailed extends DoshitError {
  override name = 'ImportFailed';

  constructor(
    readonly target: string,
    readonly text: string,
  ) {
    super(`the import of ${target} failed`);
  }
}

/** There is no such file. */
export class NoTarget extends ConfigurationError {
  override name = 'NoTarget';
}

/** The functions of all targets together. Throws NoTarget, ImportFailed, BadTask, ConfigurationError. */
export async function load(targets: readonly string[]): Promise<Map<string, Ready>> {
  const all = new Map<string, Ready>();
  for (const target of new Set(targets)) {
    for (const [name, ready] of await loadOne(target)) {
      if (all.has(name)) throw new ConfigurationError(`two of ${targets.join(' ')} have a function '${name}'`);
      all.set(name, ready);
    }
  }
  return all;
}

/** Throws NoTarget where one of the files is not there, before any process is started for them. */
export function checkTargets(targets: readonly string[]): void {
  for (const target of targets) {
    const [plain] = [target, `${target}.js`, `${target}.mjs`].filter((path) => existsSync(path));
    if (plain === target) continue;
    const hint = plain === undefined ? '' : `; did you mean ${plain}?`;
    throw new NoTarget(`no file ${target} (looked from ${process.cwd()})${hint || '; give a file of functions'}`);
  }
}

async function loadOne(target: string): Promise<Map<string, Ready>> {
  checkTargets([target]);
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(resolve(target)).href);
  } catch (error) {
    throw new ImportFailed(target, error instanceof Error ? (error.stack ?? String(error)) : String(error));
  }
  const found = functionsIn(module);
  if (Object.keys(found).length > 0) return functionsOf(found);
  throw new ConfigurationError(`${target} has no function; export some by name, or an object of them as its default`);
}

/** The members of a default export that is an object, or else what is exported by name and can be a function. */
function functionsIn(module: Record<string, unknown>): Functions {
  const { default: all, ...named } = module;
  if (typeof all === 'object' && all !== null && Object.keys(all).length > 0) return all as Functions;
  return Object.fromEntries(Object.entries(named).filter(([, value]) => isFunction(value))) as Functions;
}

function isFunction(value: unknown): boolean {
  if (typeof value === 'object' && value !== null)
    return typeof (value as { handler?: unknown }).handler === 'function';
  return typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value));
}
