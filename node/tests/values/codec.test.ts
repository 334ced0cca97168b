/** What JSON carries between languages stays what it was; what it cannot carry is an error that says where. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadArguments, BadValue, ResultNotJson } from '../../src/errors.js';
import { decodeArgs, decodeValue, encode, encodeArgs, encodeResult, NotJson } from '../../src/values/codec.js';

const refusedAt = (path: string, says: RegExp) => (error: unknown) =>
  error instanceof NotJson && error.path === path && says.test(error.reason);

class Point {
  x = 1;
}

const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let n = 0; n < depth; n++) value = [value];
  return value;
};

test('plain values become compact JSON', () => {
  assert.equal(encode({ a: [1, -1.5, 'ä\n', true, null], b: {} }), '{"a":[1,-1.5,"ä\\n",true,null],"b":{}}');
  assert.equal(encode(undefined), 'null');
  assert.equal(encode({ left: undefined, kept: 1 }), '{"kept":1}');
  assert.equal(encode([undefined, 1]), '[null,1]');
});

test('minus zero stays minus zero on the way out and back', () => {
  assert.equal(encode({ a: [-0, 0] }), '{"a":[-0.0,0]}');
  assert.ok(Object.is(decodeValue('-0.0'), -0));
});

test('dates are ISO text, bytes are base64, and an own toJSON is heard', () => {
  assert.equal(encode(new Date(Date.UTC(2015, 11, 5, 0, 19, 1, 834))), '"2015-12-05T00:19:01.834Z"');
  assert.equal(encode({ raw: Buffer.from('abc'), view: new Uint8Array([255, 0]) }), '{"raw":"YWJj","view":"/wA="}');
  assert.equal(encode({ at: new URL('http://a/') }), '{"at":"http://a/"}');
  assert.equal(encode([Object('text'), Object(3), Object(false)]), '["text",3,false]');
});

test('what JSON cannot carry is refused with its path', () => {
  const cases: [value: unknown, path: string, says: RegExp][] = [
    [{ a: [0, Number.NaN] }, '.a[1]', /NaN/],
    [Number.POSITIVE_INFINITY, '', /Infinity/],
    [{ a: { b: '\ud800' } }, '.a.b', /surrogate/],
    [{ '\udc00': 1 }, '', /member name.*surrogate/],
    [[new Map()], '[0]', /class Map/],
    [{ set: new Set() }, '.set', /class Set/],
    [{ point: new Point() }, '.point', /class Point/],
    [{ run: () => 1 }, '.run', /function/],
    [[Symbol('s')], '[0]', /symbol/],
    [{ when: new Date(Number.NaN) }, '.when', /invalid Date/],
    [[new Error('x')], '[0]', /class Error/],
  ];
  for (const [value, path, says] of cases) assert.throws(() => encode(value), refusedAt(path, says));
});

test('an integer that some language would not hold exactly is never written', () => {
  assert.equal(encode([BigInt(Number.MAX_SAFE_INTEGER), -(2n ** 53n) + 1n]), '[9007199254740991,-9007199254740991]');
  assert.throws(() => encode({ id: 2n ** 53n }), refusedAt('.id', /send it as text/));
  assert.throws(() => encode({ id: 2 ** 60 }), refusedAt('.id', /send it as text/));
  assert.equal(encode([1e21, 1e300, 0.1]), '[1e+21,1e+300,0.1]');
});

test('an integer that a number cannot hold exactly is an error with its path, or a BigInt to who asks', () => {
  const text = '{"a":"1234567890123456789","ids":[1, 9007199254740993,-9007199254740993 ]}';
  assert.throws(() => decodeValue(text), /result-value\.ids\[1\]: an integer past 2\^53 - 1/);
  const read = decodeValue(text, { bigint: true });
  assert.deepEqual(read, { a: '1234567890123456789', ids: [1, 9007199254740993n, -9007199254740993n] });
  assert.equal(decodeValue('9007199254740991'), 9007199254740991);
  assert.equal(decodeValue('0.12345678901234567890'), 0.12345678901234568);
  assert.throws(() => decodeValue('[1e999]'), /\[0\]: number out of range/);
  assert.equal(decodeValue('1e300'), 1e300);
});

test('the careful way reads what the fast way reads', () => {
  const odd = '"1234567890123456"';
  const text = ` { "a" : [ ] , "b\\"\\\\" : { } , "c" : [ true , null , -1.5e1 , "\\ud83d\\ude00" , [ [ 1 ] , 2 ] ] , "d" : ${odd} } `;
  assert.deepEqual(decodeValue(text), JSON.parse(text));
});

test('members __proto__ and constructor are members like others, and touch no prototype', () => {
  const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  for (const read of [decodeValue(text), decodeValue(text.replace('1', '1234567890123456'))] as object[]) {
    assert.deepEqual(Object.keys(read), ['__proto__', 'constructor']);
    assert.equal(Object.getPrototypeOf(read), Object.prototype);
    assert.equal((read as { polluted?: unknown }).polluted, undefined);
  }
  assert.equal(encode(JSON.parse(text)), text);
});

test('arguments named __proto__ are refused on the way out and on the way in', () => {
  const inside = JSON.parse('{"a":[{"__proto__":1}]}');
  assert.throws(() => encodeArgs('f', inside), /f: args\.a\[0\]\.__proto__: a member must not be named/);
  assert.equal(encodeArgs('f', { a: '__proto__', b: '"__proto__":' }).length > 0, true);
  assert.throws(() => decodeArgs('{"\\u005f_proto__":1}'), refusedAt('.__proto__', /rename/));
});

test('arguments are an object of members by name', () => {
  for (const bad of [null, 1, 'a', [1], new Map(), new Point()]) {
    assert.throws(
      () => encodeArgs('add', bad),
      (error) => error instanceof BadArguments && error.function === 'add',
    );
  }
  assert.equal(encodeArgs('add', undefined), '{}');
  assert.throws(() => encodeArgs('', {}), BadArguments);
  assert.throws(() => encodeArgs('\ud800', {}), BadArguments);
  assert.deepEqual(decodeArgs(Buffer.alloc(0)), {});
  for (const bad of ['[]', '1', 'null']) assert.throws(() => decodeArgs(bad), refusedAt('', /object/));
});

test('what is no JSON is refused, whatever is wrong with it', () => {
  const bad = ['', '{', 'nope', '\ufeff1', 'NaN', '"\\ud800"', '{"\\udc00":1}', '01', '1 2'];
  for (const text of bad) assert.throws(() => decodeValue(text), BadValue, text);
  assert.throws(() => decodeValue(Buffer.from([0x22, 0xff, 0x22])), /not UTF-8/);
});

test('values nested too deep, or within themselves, are refused and nothing breaks', () => {
  const loop: unknown[] = [];
  loop.push(loop);
  for (const value of [loop, nested(1000), nested(100_000)]) {
    assert.throws(
      () => encodeResult(value),
      (error) => error instanceof ResultNotJson && /too deep/.test(error.message),
    );
  }
  assert.throws(() => decodeValue('['.repeat(100_000) + ']'.repeat(100_000)), /too deep/);
  assert.throws(() => decodeValue(`["]]]]",${'['.repeat(1000) + ']'.repeat(1000)}]`), /too deep/);
  assert.deepEqual(decodeValue(encode(nested(990))), nested(990));
  assert.equal(decodeValue(`"${'['.repeat(5000)}"`), '['.repeat(5000));
});

test('a getter or a toJSON that throws is an error of the value', () => {
  const value = {
    get a() {
      throw new Error('no');
    },
  };
  assert.throws(() => encodeResult(value), /result: it cannot be read: Error: no/);
});
