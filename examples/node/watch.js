/**
 * A run tells how far it is, and what it logs is kept with it.
 *
 *     node watch.js     # needs DOSHIT_REDIS, the URL of a server
 *
 * prints
 *
 *     half-way: 50%
 *     done: 100%
 *     log: reading orders.csv
 */

import { setTimeout as pause } from 'node:timers/promises';
import { Doshit } from 'doshit';

const doshit = new Doshit();
const worker = doshit.worker({
  load: async ({ path }, task) => {
    task.log('reading', path);
    task.progress(0.5, 'half-way');
    await pause(1500, undefined, { signal: task.signal });
    task.progress(1, 'done');
  },
});

const handle = await doshit.enqueue('load', { path: 'orders.csv' });
for await (const { fraction, text } of handle.progress()) console.log(`${text}: ${100 * (fraction ?? 0)}%`);
await handle.result({ timeout: 20 });
for (const { stream, text } of await handle.output()) console.log(`${stream}: ${text.trim()}`);

await worker.stop();
await doshit.close();
