/** The functions that the stories and the args vectors call, as protocol/conformance/README.md describes them. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Functions } from '../../src/worker/functions.js';

const FALSY: Record<string, unknown> = { null: null, 0: 0, false: false, text: '', array: [], object: {} };
const text = { type: 'string' };
const number = { type: 'number' };
const whole = { type: 'integer' };

const taking = (properties: Record<string, object>) => ({
  ...{ type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
});

const functions: Functions = {
  echo: { schema: taking({ text }), handler: ({ text }) => text },
  add: { schema: taking({ a: whole, b: whole }), handler: ({ a, b }) => a + b },
  fail: {
    schema: taking({ message: text }),
    handler: ({ message }) => {
      throw new Error(message);
    },
  },
  // It heeds no signal, as a function that blocks could not.
  nap: { schema: taking({ seconds: number }), handler: ({ seconds }) => pause(seconds * 1000, seconds) },
  falsy: { schema: taking({ which: text }), handler: ({ which }) => FALSY[which] },
  nothing: { schema: taking({}), handler: () => null },
  any: { schema: taking({ value: {} }), handler: ({ value }) => value },
  not_a_number: { schema: taking({}), handler: () => Number.NaN },
  large: { schema: taking({ size: whole }), handler: ({ size }) => 'x'.repeat(size) },
};
export default functions;
