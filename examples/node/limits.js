/**
 * An isolated run that goes wild is ended for good: it has a process of its own, with limits of time and memory.
 *
 *     npx doshit worker limits-tasks.js     # needs DOSHIT_REDIS, as all of these do
 *     node limits.js
 *
 * prints
 *
 *     time-limit
 *     memory-limit
 *     exited
 *     still here
 */

import { Doshit, TaskFailed } from 'doshit';

const doshit = new Doshit();
for (const name of ['spin', 'hoard', 'leave']) {
  try {
    await (await doshit.enqueue(name)).result({ timeout: 20 });
  } catch (error) {
    if (!(error instanceof TaskFailed)) throw error;
    console.log(error.code);
  }
}
console.log(await (await doshit.enqueue('reply')).result({ timeout: 20 }));
await doshit.close();
