/**
 * Two plain Redis commands make a task, and a subscription hears of its end: no client of doshit is needed.
 *
 *     node plain-commands.js     # needs DOSHIT_REDIS, the URL of a server
 *
 * prints
 *
 *     doshit:task:greeting-2
 *     Hello, Ada
 */

import { Doshit } from 'doshit';
import { createClient } from 'redis';

// A worker, so that there is somebody to run it. It may be any other process, in Python too.
const doshit = new Doshit();
const worker = doshit.worker({ welcome: ({ name }) => `Hello, ${name}` });

const { DOSHIT_REDIS: url, DOSHIT_APP_PREFIX: prefix = 'doshit' } = process.env;
const { protocol, pathname } = new URL(url);
const settings = protocol === 'unix:' ? { socket: { path: pathname } } : { url };
const [redis, ends] = await Promise.all([createClient(settings).connect(), createClient(settings).connect()]);

const key = `${prefix}:task:greeting-2`;
await redis.del(key); // of an earlier try: an id is used once
const ended = new Promise((resolve) => {
  ends.subscribe(`${prefix}:results`, (task) => task === key && resolve(task));
});
await redis.hSet(key, { function: 'welcome', state: 'pending', args: JSON.stringify({ name: 'Ada' }) });
await redis.lPush(`${prefix}:default:pending`, 'greeting-2');

console.log((await ended).replace(prefix, 'doshit'));
console.log(JSON.parse(await redis.hGet(key, 'result-value')));

await Promise.all([redis.close(), ends.close(), worker.stop()]);
