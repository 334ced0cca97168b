#!/usr/bin/env node
/**
 * Entry of `npx doshit`: parse, run the command, turn errors into one line and an exit code.
 *
 * Exit codes: 0 done; 1 an error, told on stderr; 2 a command that cannot be read, or a file that is not there.
 */

import { DoshitError } from '../errors.js';
import { version } from '../worker/engine/version.js';
import { CannotStart } from '../worker/host/cannotStart.js';
import { NoTarget } from '../worker/target.js';
import { printable } from './logs.js';
import { parseWorker, TOP, UsageError, WORKER } from './parser.js';
import { run } from './worker.js';

const [verb, ...words] = process.argv.slice(2);

async function main(): Promise<number> {
  if (verb === undefined || verb === '--help' || verb === '-h') return told(TOP, verb === undefined ? 2 : 0);
  if (verb === '--version') return told(`doshit ${version()}\n`, 0);
  if (verb !== 'worker') {
    throw new UsageError(
      `there is no command '${verb}' here: this one has only \`doshit worker\`; ` +
        'all others are in the Python package, which serves Node workers too: pip install doshit',
    );
  }
  const command = parseWorker(words);
  return command === 'help' ? told(WORKER, 0) : await run(command);
}

function told(text: string, code: number): number {
  process.stdout.write(text);
  return code;
}

function codeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof NoTarget) return 2;
  return error instanceof CannotStart && error.usage ? 2 : 1;
}

function describe(error: unknown): string {
  if (error instanceof CannotStart) return error.message;
  if (error instanceof UsageError) return `${printable(error.message)}\nEvery option: doshit worker --help`;
  if (error instanceof DoshitError) return printable(error.message);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`doshit: ${describe(error)}\n`, () => process.exit(codeOf(error)));
  },
);
