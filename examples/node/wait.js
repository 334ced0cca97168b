/**
 * Enqueue a task and wait for what it returns; one and many.
 *
 *     node wait.js     # needs DOSHIT_REDIS, the URL of a server
 *
 * prints
 *
 *     3
 *     [ 3, 5, 11 ]
 *     BadArguments: sum: args.b: expected integer, got string
 */

import { BadArguments, Doshit } from 'doshit';

const doshit = new Doshit();
const schema = {
  type: 'object',
  properties: { a: { type: 'integer' }, b: { type: 'integer', default: 2 } },
  required: ['a'],
};
const worker = doshit.worker({ sum: { schema, handler: ({ a, b = 2 }) => a + b } });
await worker.ready;

const handle = await doshit.enqueue('sum', { a: 1 });
console.log(await handle.result({ timeout: 20 }));

const handles = await doshit.enqueueMany([{ a: 1 }, { a: 3 }, { a: 5, b: 6 }].map((args) => doshit.job('sum', args)));
console.log(await Promise.all(handles.map((one) => one.result({ timeout: 20 }))));

try {
  await doshit.enqueue('sum', { a: 1, b: 'two' }); // refused here; nothing reaches the queue
} catch (error) {
  if (!(error instanceof BadArguments)) throw error;
  console.log(`${error.name}: ${error.message}`);
}

await worker.stop();
await doshit.close();
