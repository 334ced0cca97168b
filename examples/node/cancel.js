/**
 * A task is cancelled from anywhere, before it runs or while it does; it hears of it and may clean up.
 *
 *     node cancel.js     # needs DOSHIT_REDIS, the URL of a server
 *
 * prints
 *
 *     waiting: cancelled
 *     running: asked
 *     cancelled
 *     log: stops and cleans up
 */

import { setTimeout as pause } from 'node:timers/promises';
import { Doshit, TaskFailed } from 'doshit';

const doshit = new Doshit();
const worker = doshit.worker({
  toil: async ({ seconds }, task) => {
    try {
      task.progress(0, 'begun');
      await pause(seconds * 1000, undefined, { signal: task.signal });
    } catch (error) {
      task.log('stops and cleans up'); // half a second is left for this
      throw error;
    }
  },
});

const waiting = await doshit.enqueue('toil', { seconds: 1 }, { delay: 3600 });
console.log('waiting:', await waiting.cancel());

const running = await doshit.enqueue('toil', { seconds: 3600 });
for await (const { text } of running.progress()) if (text === 'begun') break; // executing, and not just claimed
console.log('running:', await running.cancel());
try {
  await running.result({ timeout: 20 });
} catch (error) {
  if (!(error instanceof TaskFailed)) throw error;
  console.log(error.code);
}
for (const { stream, text } of await running.output()) console.log(`${stream}: ${text.trim()}`);

await worker.stop();
await doshit.close();
