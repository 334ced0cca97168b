/**
 * A task for later, one for a moment, one that is not worth running late, and one id for what must happen once.
 *
 *     node schedule.js     # needs DOSHIT_REDIS, the URL of a server
 *
 * prints
 *
 *     not before its time: true
 *     at the moment: it is time
 *     expired
 *     the same task: true
 */

import { Doshit, TaskFailed } from 'doshit';

const doshit = new Doshit();
const worker = doshit.worker({ recall: ({ text }) => text });

const began = performance.now();
await (await doshit.enqueue('recall', { text: 'tea' }, { delay: 1 })).result({ timeout: 20 });
console.log('not before its time:', performance.now() - began >= 1000);

const moment = new Date(Date.now() + 1000);
const timely = await doshit.enqueue('recall', { text: 'it is time' }, { at: moment });
console.log('at the moment:', await timely.result({ timeout: 20 }));

const late = await doshit.enqueue('recall', { text: 'the shop closes' }, { delay: 1, expires: 0.5 });
try {
  await late.result({ timeout: 20 });
} catch (error) {
  if (!(error instanceof TaskFailed)) throw error;
  console.log(error.code);
}

const first = await doshit.enqueue('recall', { text: 'pay' }, { id: 'order-8' });
const again = await doshit.enqueue('recall', { text: 'pay' }, { id: 'order-8' });
console.log('the same task:', first.id === again.id);

await worker.stop();
await doshit.close();
