/** A Node worker whose functions examples/python/call_node.py calls. It serves until SIGTERM or Ctrl-C. */

import { Doshit } from 'doshit';

const text = { type: 'string' };
const schema = { type: 'object', properties: { text }, required: ['text'], additionalProperties: false };
const counted = { type: 'object', properties: { words: { type: 'integer' }, longest: text } };

const worker = new Doshit().worker({
  slug: {
    doc: 'The text as a part of a URL.',
    schema,
    returns: text,
    handler: (args) => args.text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'),
  },
  'count.words': {
    schema,
    returns: { ...counted, required: ['words', 'longest'] },
    handler: (args) => {
      const words = args.text.split(/\s+/);
      return { words: words.length, longest: words.sort((a, b) => b.length - a.length)[0] };
    },
  },
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => worker.stop());
