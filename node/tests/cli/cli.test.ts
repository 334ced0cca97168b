/** What the command line says, and how it ends. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from '../helpers/server.js';
import { Command, fileOf } from '../host/helper.js';
import { newApp } from '../worker/helper.js';

const server = await startServer();

async function told(...words: string[]): Promise<{ code: number | string; said: string }> {
  const command = new Command(words);
  const code = await command.exited;
  return { code, said: command.said };
}

test('help is told, and another verb is sent to the Python command', async () => {
  assert.equal((await told('--help')).code, 0);
  const help = await told('worker', '--help');
  assert.equal(help.code, 0);
  assert.match(help.said, /--concurrency/);
  const other = await told('submit', 'add');
  assert.equal(other.code, 2);
  assert.match(other.said, /Python/);
});

test('a wrong option, a missing file, and a file without functions are said in a line', async () => {
  const cases: [number, RegExp, ...string[]][] = [
    [2, /--nothing/, 'worker', 'x.mjs', '--nothing'],
    [2, /--concurrency: 'many'/, 'worker', 'x.mjs', '-c', 'many'],
    [2, /no file absent\.mjs/, 'worker', 'absent.mjs'],
    [1, /has no function/, 'worker', fileOf('export const a = 1;')],
    [1, /cannot read|is not valid|Unknown|queue/i, 'worker', fileOf('export const f = () => 1;'), '-q', ''],
  ];
  for (const [code, words, ...line] of cases) {
    const command = await told(...line);
    assert.match(command.said, words);
    assert.equal(command.code, code, command.said);
  }
});

test('a file that throws while it is imported is said with its own stack', async () => {
  const { code, said } = await told('worker', fileOf("\nthrow new Error('at import');"));
  assert.equal(code, 1);
  assert.match(said, /at import[\s\S]*tasks\d+\.mjs:2/);
});

test('a server that is not there is said, and nothing is left', async () => {
  const file = fileOf('export const f = () => 1;');
  const { code, said } = await told('worker', file, '--redis', 'redis://127.0.0.1:1/0');
  assert.equal(code, 1);
  assert.match(said, /127\.0\.0\.1:1/);
});

test('burst ends when the queues are empty, and functions of a default export are served', async () => {
  const app = newApp(server);
  const handle = await app.enqueue('twice', { n: 4 }, { queue: 'bulk' });
  const file = fileOf('export default { twice: { handler: ({ n }) => 2 * n } };');
  const where = ['--redis', server.url, '--prefix', app.prefix, '-q', 'bulk'];
  const { code, said } = await told('worker', file, ...where, '--burst', '--log-format', 'json');
  assert.equal(code, 0, said);
  assert.equal(await handle.result({ timeout: 5 }), 8);
  for (const line of said.trim().split('\n')) assert.equal(typeof JSON.parse(line).message, 'string');
});
