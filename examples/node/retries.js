/**
 * A task that fails is run again after a while, and tells at the end what went wrong on the way.
 *
 *     node retries.js     # needs DOSHIT_REDIS, the URL of a server
 *
 * prints
 *
 *     got it at attempt 3
 *     attempt 1: Busy: the line is busy
 *     attempt 2: Busy: the line is busy
 *     exception: Error: no such number
 */

import { Doshit, TaskFailed } from 'doshit';

class Busy extends Error {
  name = 'Busy';
}

const doshit = new Doshit();
const worker = doshit.worker({
  dial: {
    retries: 5,
    retryDelay: 0.1,
    retryBackoff: 1,
    retryOn: Busy,
    handler: ({ number }, task) => {
      if (number === '') throw new Error('no such number'); // not worth another run
      if (task.attempt < 3) throw new Busy('the line is busy');
      return `got it at attempt ${task.attempt}`;
    },
  },
});

const handle = await doshit.enqueue('dial', { number: '555-0100' });
console.log(await handle.result({ timeout: 20 }));
for (const { attempt, reason } of (await handle.info()).failures) console.log(`attempt ${attempt}: ${reason}`);

try {
  await (await doshit.enqueue('dial', { number: '' })).result({ timeout: 20 });
} catch (error) {
  if (!(error instanceof TaskFailed)) throw error;
  console.log(`${error.code}: ${error.reason}`);
}

await worker.stop();
await doshit.close();
