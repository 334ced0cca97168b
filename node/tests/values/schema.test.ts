/** A schema refuses what it forbids, says where, and takes no time that its author chooses. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultOf } from '../../src/values/schema.js';

const says = (schema: unknown, value: unknown) => {
  const fault = faultOf(schema, value);
  return fault && `${fault.path}: ${fault.reason}`;
};

test('each keyword refuses with its path and its reason', () => {
  const point = {
    type: 'object',
    properties: { x: { type: 'integer' } },
    required: ['x'],
    additionalProperties: false,
  };
  const cases: [schema: unknown, value: unknown, said: string | undefined][] = [
    [true, 1, undefined],
    [{ type: 'integer' }, 1.5, ': expected integer, got number'],
    [{ type: ['string', 'null'] }, 1, ': expected string or null, got number'],
    [{ type: 'number' }, true, ': expected number, got boolean'],
    [{ items: point }, [{ x: 1 }, { x: 'a' }], '[1].x: expected integer, got string'],
    [{ prefixItems: [{ type: 'string' }], items: { type: 'number' } }, ['a', 'b'], '[1]: expected number, got string'],
    [point, {}, '.x: it is missing'],
    [point, { x: 1, y: 2 }, '.y: there is no such member'],
    [{ additionalProperties: { type: 'null' } }, { a: 1 }, '.a: expected null, got number'],
    [{ enum: ['a', 'b'] }, 'c', ': expected one of "a","b"'],
    [{ const: { a: [1] } }, { a: [1] }, undefined],
    [{ const: null }, 0, ': expected null'],
    [{ minimum: 1 }, 0, ': expected at least 1'],
    [{ maximum: 1 }, 2, ': expected at most 1'],
    [{ exclusiveMinimum: 0 }, 0, ': expected more than 0'],
    [{ exclusiveMaximum: 1 }, 1, ': expected less than 1'],
    [{ minLength: 2 }, '😀', ': expected at least 2 characters'],
    [{ maxLength: 1 }, '😀', undefined],
    [{ maxLength: 1 }, 'ab', ': expected at most 1 characters'],
    [{ minItems: 1 }, [], ': expected at least 1 items'],
    [{ maxItems: 1 }, [1, 2], ': expected at most 1 items'],
    [{ anyOf: [{ type: 'string' }, { type: 'null' }] }, 5, ': expected string or null, got number'],
    [{ anyOf: [point, { type: 'null' }] }, { x: 'a' }, '.x: expected integer, got string'],
    [{ allOf: [{ type: 'number' }, { minimum: 3 }] }, 2, ': expected at least 3'],
    [{ $ref: '#/$defs/p~1q', $defs: { 'p/q': point } }, { x: 1.5 }, '.x: expected integer, got number'],
    [{ $ref: '#/$defs/none' }, 1, undefined],
    [{ $ref: 'http://elsewhere' }, 1, undefined],
    [
      { type: 'unheard-of', pattern: '(a+)+$', format: 'date', unknown: 1 },
      'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!',
      undefined,
    ],
  ];
  for (const [schema, value, said] of cases) assert.equal(says(schema, value), said, JSON.stringify(schema));
});

test('members of Object.prototype are no members', () => {
  assert.equal(says({ required: ['constructor'] }, {}), '.constructor: it is missing');
  assert.equal(
    says({ properties: {}, additionalProperties: false }, { toString: 1 }),
    '.toString: there is no such member',
  );
  assert.equal(says({ $ref: '#/constructor' }, 1), undefined);
});

test('a schema that refers to itself ends, on a tree of values and on the spot', () => {
  const tree = { properties: { next: { $ref: '#' } }, additionalProperties: false };
  assert.equal(says(tree, { next: { next: { end: 1 } } }), '.next.next.end: there is no such member');
  assert.equal(says({ $ref: '#' }, 1), undefined);
  const wide = { anyOf: [{ $ref: '#' }, { $ref: '#' }] };
  assert.equal(says(wide, 1), undefined);
});
