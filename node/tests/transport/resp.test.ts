/** Words become bytes and bytes become replies, in whatever pieces they arrive. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../src/transport/faults.js';
import { encode, Reader } from '../../src/transport/resp.js';

test('words are written with their size in bytes, and bytes stay bytes', () => {
  assert.equal(encode(['SET', 'ä', -1.5]), '*3\r\n$3\r\nSET\r\n$2\r\nä\r\n$4\r\n-1.5\r\n');
  const raw = encode(['SET', Buffer.from([0xff, 0x0d, 0x0a]), '']);
  assert.deepEqual(
    raw,
    Buffer.concat([
      Buffer.from('*3\r\n$3\r\nSET\r\n$3\r\n'),
      Buffer.from([0xff, 13, 10]),
      Buffer.from('\r\n$0\r\n\r\n'),
    ]),
  );
});

const WIRE = Buffer.from(
  '+OK\r\n:-42\r\n$-1\r\n*-1\r\n$4\r\na\r\nb\r\n*3\r\n$1\r\nx\r\n*2\r\n:1\r\n$0\r\n\r\n-ERR in it\r\n*0\r\n-ERR no\r\n$3\r\nend\r\n',
);
const REPLIES = ['OK', -42, null, null, 'a\r\nb', ['x', [1, ''], 'ERR in it'], [], 'ERR no', 'end'];

const plain = (reply: unknown): unknown => {
  if (Array.isArray(reply)) return reply.map(plain);
  return Buffer.isBuffer(reply) ? String(reply) : reply instanceof Refusal ? reply.message : reply;
};

test('replies are read whole, however they are cut', () => {
  for (let size = 1; size <= WIRE.length; size++) {
    const read: unknown[] = [];
    const reader = new Reader((reply) => read.push(plain(reply)));
    for (let at = 0; at < WIRE.length; at += size) reader.feed(WIRE.subarray(at, at + size));
    assert.deepEqual(read, REPLIES, `in pieces of ${size}`);
  }
});

test('a large value in many pieces is joined once', () => {
  const read: Buffer[] = [];
  const reader = new Reader((reply) => read.push(reply as Buffer));
  const wire = Buffer.concat([Buffer.from('$8000000\r\n'), Buffer.alloc(8_000_000, 'x'), Buffer.from('\r\n')]);
  for (let at = 0; at < wire.length; at += 1000) reader.feed(wire.subarray(at, at + 1000));
  assert.equal(read[0]?.length, 8_000_000);
});

test('what is no RESP2 is said to be none', () => {
  assert.throws(() => new Reader(() => {}).feed(Buffer.from('HTTP/1.1 400\r\n')), /does not speak RESP2/);
});
