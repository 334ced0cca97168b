/**
 * Who produces, waits and cancels from Node, for a test that tells it what to do: a line of JSON in, one out.
 *
 * node client.mjs package|commands URL PREFIX: by the package's client, or by the plain commands of the contract through
 * another Redis library.
 */

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

import { Doshit, TaskFailed } from '../node/dist/index.js';

const PATIENCE = 25;

/** The client of the Node package. */
function packaged(url, prefix) {
  const doshit = new Doshit({ redis: url, prefix });
  return {
    produce: async (name, args) => (await doshit.enqueue(name, args)).id,
    cancel: (id) => doshit.handle(id).cancel(),
    close: () => doshit.close(),
    wait: async (id) => {
      try {
        return { value: await doshit.handle(id).result({ timeout: PATIENCE }) };
      } catch (error) {
        if (!(error instanceof TaskFailed)) throw error;
        return { code: error.code, reason: error.reason };
      }
    },
  };
}

/** HSET and LPUSH, SUBSCRIBE and HMGET, LPUSH to cancel, by the library `redis`. */
async function plain(url, prefix) {
  const { createClient } = createRequire(new URL('../node/package.json', import.meta.url))('redis');
  const { protocol, pathname } = new URL(url);
  const settings = protocol === 'unix:' ? { socket: { path: pathname }, RESP: 2 } : { url, RESP: 2 };
  const [redis, listener] = await Promise.all([createClient(settings).connect(), createClient(settings).connect()]);
  const heard = new Set();
  const waiting = new Map();
  await listener.subscribe(`${prefix}:results`, (key) => {
    heard.add(key);
    waiting.get(key)?.();
  });
  return {
    produce: async (name, args) => {
      const id = crypto.randomUUID();
      await redis.hSet(`${prefix}:task:${id}`, { function: name, state: 'pending', args: JSON.stringify(args) });
      await redis.lPush(`${prefix}:default:pending`, id);
      return id;
    },
    cancel: (id) => redis.lPush(`${prefix}:cancel`, id),
    close: async () => {
      await Promise.all([redis.close(), listener.close()]);
    },
    wait: async (id) => {
      const key = `${prefix}:task:${id}`;
      if (!heard.has(key)) await new Promise((resolve) => waiting.set(key, resolve));
      const names = ['result', 'result-value', 'error-code', 'error-reason'];
      const [result, value, code, reason] = await redis.hmGet(key, names);
      return result === 'successful' ? { value: JSON.parse(value) } : { code, reason };
    },
  };
}

const [kind, url, prefix] = process.argv.slice(2);
const client = await { package: packaged, commands: plain }[kind](url, prefix);
console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const { verb, words } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ answer: (await client[verb](...words)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.stack ?? error}` }));
  }
}
await client.close();
