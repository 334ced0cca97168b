// @ts-check
/**
 * Node calls a function of a Python worker, with completion, checked arguments and typed results.
 *
 *     doshit worker ../python/shop.py           # needs DOSHIT_REDIS, as all of these do
 *     doshit types --ts python-functions.d.ts   # writes the types from what live workers serve
 *     node call-python.js
 *
 * prints
 *
 *     19
 *     BadArguments: price: args.lines[0].count: expected integer, got string
 */

import { BadArguments, Doshit } from 'doshit';

/** @type {Doshit<import('./python-functions.js').Functions>} */
const doshit = new Doshit();

const handle = await doshit.enqueue('price', { lines: [{ item: 'tea' }, { item: 'cup' }] });
console.log(await handle.result({ timeout: 20 }));

try {
  // @ts-expect-error: tsc refuses this; without types the catalog does, before anything is pushed
  await doshit.enqueue('price', { lines: [{ item: 'tea', count: 'two' }] });
} catch (error) {
  if (!(error instanceof BadArguments)) throw error;
  console.log(`${error.name}: ${error.message}`);
}

await doshit.close();
