/** What the benchmarks of Node workers have in common: a server of their own, and one worker of each kind. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';

export const PREFIX = 'bench';
export const CONCURRENCY = 50;
export const RIVALS = ['bullmq', 'bee-queue'];
export const NAMES = ['doshit', ...RIVALS];

export const median = (some) => some.toSorted((a, b) => a - b)[Math.floor(some.length / 2)];
export const shown = (number) => Math.round(number).toLocaleString('en').padStart(9);

/** What comes of `work(client, socket, engine)` on a server of its own, which server.py has seen to be its child. */
export async function withServer(work) {
  const words = [fileURLToPath(new URL('server.py', import.meta.url))];
  const python = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
  const child = spawn(python, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [said] = await Promise.race([once(child.stdout, 'data'), exited]);
  const path = String(said).trim();
  if (!path.startsWith('/')) throw new Error('there is no server to measure with');
  const plain = new Redis({ path });
  try {
    const info = await plain.info('server');
    const [, name, version] = /(valkey)_version:(\S+)/.exec(info) ?? /(redis)_version:(\S+)/.exec(info);
    return await work(plain, path, `${name} ${version}`);
  } finally {
    plain.disconnect();
    child.stdin.end();
    await exited;
  }
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
