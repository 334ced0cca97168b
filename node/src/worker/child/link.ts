/**
 * A child's end of the line to its parent. Writes at once and waits until it is written.
 *
 * So nothing that was told is lost when the process ends in the next moment, and what a run told is there before its
 * end. The parent runs no code of the user's and reads at once; waiting for it is short.
 */

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { FrameReader, Packer, type Payload } from '../wire.js';

const CHANNEL_FD = 3; // what is told
const ORDERS_FD = 5; // what is heard
const FULL = 1; // ms until the next try, when the parent has not read yet
const still = new Int32Array(new SharedArrayBuffer(4));

/** The line. */
export class Link {
  readonly #packer = new Packer();
  #isFlushing = false;

  /** Hears the parent's frames; onEnd: it wants no more, or is not there any more. */
  listen(hear: (kind: number, payload: Payload) => void, onHeard: () => void, onEnd: () => void): void {
    const reader = new FrameReader(hear);
    const socket = new Socket({ fd: ORDERS_FD, readable: true, writable: false });
    socket.on('data', (data) => {
      reader.feed(data);
      onHeard();
    });
    socket.on('error', onEnd).on('end', onEnd);
  }

  /** Says something; what is said while code of the user's runs goes out when it lets go. */
  say(pack: (packer: Packer) => void): void {
    pack(this.#packer);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(this.#flushSoon);
  }

  readonly #flushSoon = (): void => {
    this.#isFlushing = false;
    this.flush();
  };

  /** All that was said is with the parent when this returns, if there is one. */
  flush(): void {
    if (this.#packer.isEmpty) return;
    const frames = this.#packer.lend();
    for (let at = 0; at < frames.length; ) at += write(frames, at);
  }
}

function write(frames: Buffer, at: number): number {
  try {
    return writeSync(CHANNEL_FD, frames, at);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'EPIPE') return frames.length; // nobody hears it; the end comes soon
    // The user's code has closed the line under it: the parent would wait for the end of each run for ever.
    if (code !== 'EAGAIN') process.kill(process.pid, 'SIGKILL');
    Atomics.wait(still, 0, 0, FULL);
    return 0;
  }
}
