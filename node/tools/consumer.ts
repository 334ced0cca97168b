/** What a project that uses the package might write; tools/package.js has it compiled, and each wrong line refused. */

import { Doshit, type Functions, TaskFailed, type Worker } from 'doshit';

interface Remote {
  add: { args: { a: number; b?: number }; returns: number };
}

const doshit = new Doshit<Remote>({ redis: 'redis://localhost:6379/0', prefix: 'shop' });
const handle = await doshit.enqueue('add', { a: 1 }, { queue: 'math', delay: 1, signal: AbortSignal.timeout(1000) });
try {
  const sum: number = await handle.result({ timeout: 10 });
  for await (const { fraction } of handle.progress()) console.log(sum, fraction?.toFixed(1));
} catch (error) {
  if (error instanceof TaskFailed) console.error(error.code, error.reason);
}
// @ts-expect-error: text is no number
await doshit.enqueue('add', { a: 'x' });
// @ts-expect-error: there is no such function
await doshit.enqueue('ad', { a: 1 });

const functions: Functions = { add: async ({ a, b }, task) => (task.signal.aborted ? 0 : a + b) };
const worker: Worker = doshit.worker(functions, { concurrency: 50 });
worker.on('error', (error) => console.error(error.message));
// @ts-expect-error: there is no such option
doshit.worker(functions, { concurency: 50 });
await worker.stop();
await doshit.close();
