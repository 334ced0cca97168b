/** What the benchmarks of Node workers have in common: a server of their own, and one worker of each kind. */

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';

export const PREFIX = 'bench';
export const CONCURRENCY = 50;
export const RIVALS = ['bullmq', 'bee-queue'];
export const NAMES = ['doshit', ...RIVALS];

export const median = (some) => some.toSorted((a, b) => a - b)[Math.floor(some.length / 2)];
export const shown = (number) => Math.round(number).toLocaleString('en').padStart(9);

/** A server of this run's own, on a unix socket. It is seen to be our child before anything is written. */
export async function withServer(work) {
  const folder = await mkdtemp(join(tmpdir(), 'doshit-bench-'));
  const path = join(folder, 's');
  const words = ['--port', '0', '--unixsocket', path, '--save', '', '--dir', folder];
  const child = spawn(serverBinary(), words, { stdio: 'ignore' });
  const plain = new Redis({ path, retryStrategy: () => 50, maxRetriesPerRequest: null });
  plain.on('error', () => {}); // until it has started
  try {
    const info = await plain.info('server');
    if (!info.includes(`process_id:${child.pid}\r\n`)) throw new Error(`the server on ${path} is not ours`);
    await work(plain, path);
  } finally {
    plain.disconnect();
    child.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

function serverBinary() {
  const lib = fileURLToPath(new URL('../../.venv/lib', import.meta.url));
  const found = readdirSync(lib, { recursive: true }).find((name) => /_binaries\/.*\/valkey-server$/.test(name));
  return process.env.DOSHIT_TEST_SERVER ?? (found ? join(lib, found) : 'redis-server');
}

/** A worker in a process of its own, as it is in production: it serves from now on. Its end settles `ended`. */
export async function withConsumer(name, path, work) {
  const script = fileURLToPath(new URL('consumer.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, name, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = [];
  child.stdout.setEncoding('utf8').on('data', (text) => lines.push(...text.split('\n').filter(Boolean)));
  const said = async (word) => {
    while (!lines.includes(word)) {
      if (child.exitCode !== null) throw new Error(`the worker of ${name} has ended by itself`);
      await pause(5);
    }
  };
  try {
    await said('ready');
    return await work(said, child);
  } finally {
    child.stdin.end();
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  }
}
