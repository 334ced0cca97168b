/** Workers of the command line, each a process of the test's own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../src/client/index.js';
import { TaskFailed } from '../../src/errors.js';
import type { Server } from '../helpers/server.js';
import { until } from '../helpers/until.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const PACKAGE = new URL('../../src/index.js', import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), 'doshit-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** A file of functions; `doshit` in it is the package. */
export function fileOf(source: string): string {
  files += 1;
  const path = join(folder, `tasks${files}.mjs`);
  writeFileSync(path, source.replaceAll("'doshit'", `'${PACKAGE}'`));
  return path;
}

/** A command under way. */
export class Command {
  said = '';
  readonly process: ChildProcess;
  readonly exited: Promise<number | string>;

  constructor(words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const env = { ...process.env, ...environment };
    this.process = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder, env });
    for (const stream of [this.process.stdout!, this.process.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.said += text;
      });
    }
    this.exited = once(this.process, 'close').then(([code, signal]) => code ?? signal);
  }

  get pid(): number {
    return this.process.pid!;
  }

  async says(text: string): Promise<void> {
    await until(() => this.said.includes(text) || this.process.exitCode !== null, { what: `"${text}" in its log` });
    if (!this.said.includes(text)) throw new Error(`it has ended: ${this.said}`);
  }
}

/** A worker that serves. more: words for the command, and variables of its environment. Killed after the tests of its file, if it was not stopped before. */
export async function serve(
  server: Server,
  app: Client,
  source: string,
  ...more: readonly (string | NodeJS.ProcessEnv)[]
): Promise<Command> {
  const words = more.filter((one) => typeof one === 'string');
  const environment = Object.assign({}, ...more.filter((one) => typeof one !== 'string'));
  const told = ['worker', fileOf(source), '--redis', server.url, '--prefix', app.prefix, ...words];
  const command = new Command(told, environment);
  after(async () => {
    command.process.kill('SIGKILL');
    await command.exited;
  });
  await command.says(' serves ');
  return command;
}

/** The failure of a task. */
export async function failureOf(handle: { result(options?: object): Promise<unknown> }): Promise<TaskFailed> {
  try {
    throw new Error(`it returned ${JSON.stringify(await handle.result({ timeout: 30 }))}`);
  } catch (error) {
    if (error instanceof TaskFailed) return error;
    throw error;
  }
}

/** The processes below one, as Linux tells them. */
export function childrenOf(pid: number): number[] {
  const parentOf = (each: string) => {
    try {
      return Number(
        readFileSync(`/proc/${each}/stat`, 'latin1')
          .replace(/^.*\) . /s, '')
          .split(' ')[0],
      );
    } catch {
      return 0;
    }
  };
  return readdirSync('/proc')
    .filter((each) => /^\d+$/.test(each) && parentOf(each) === pid)
    .map(Number);
}

/** Is it there, and no zombie? */
export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
