/** What the Node workers of these tests serve, as tasks.py does in Python, with the same signatures. */

import { setTimeout as pause } from 'node:timers/promises';

const takes = (properties) => ({
  ...{ type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
});
const number = { type: 'number' };
const nap = {
  schema: takes({ seconds: number }),
  returns: number,
  handler: ({ seconds }, { signal }) => pause(seconds * 1000, seconds, { signal }),
};

export default {
  echo: { schema: takes({ value: {} }), handler: ({ value }) => value },
  fail: {
    schema: takes({ message: { type: 'string' } }),
    returns: { type: 'null' },
    handler: ({ message }) => {
      throw new Error(message);
    },
  },
  nap,
  language: { schema: takes({}), returns: { type: 'string' }, handler: () => 'node' },
  only_node: {
    doc: 'Twice the number, and who says so.',
    schema: takes({ n: { type: 'integer' } }),
    handler: ({ n }) => ['node', 2 * n],
  },
  only_node_nap: nap,
};
