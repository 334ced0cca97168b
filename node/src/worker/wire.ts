/**
 * What a worker's parent and its children say to each other: frames of length, kind and payload. No I/O.
 *
 * Arguments, results and ids pass as raw bytes. A frame that cannot be read means that code of the user's has written
 * to a descriptor that is not its own.
 */

import type { Claimed } from '../commands/index.js';
import { DoshitError } from '../errors.js';
import type { Again, Failure, Job, Why } from './engine/executor.js';

/** The kinds of frames, and their payloads; `number` is that of a job. */
export const KIND = {
  // To a child.
  SETUP: 1, // JSON of Setup; the first frame
  JOB: 2, // see packJob
  ORDER: 3, // number, why, reason: this run shall end
  TAKE_BACK: 4, // give back what has not begun; answered by UNBEGUN if there is any
  // From a child.
  HELLO: 10, // JSON of Hello; from now on it takes jobs
  BROKEN: 11, // JSON of Broken; it could not start
  RETURNED: 12, // number, JSON
  FAILED: 13, // number, see packFailure
  UNBEGUN: 14, // numbers, oldest first
  OUTPUT: 15, // number, stream, ms since 1970, text
  PROGRESS: 16, // number, JSON
  USED: 17, // number, seconds of CPU, bytes at most or 0; before the end of the run
  LEAVING: 18, // number of the run that ends the process, or 0; how
  LOG: 19, // level, line
} as const;

/** What a child is told before anything else. Sizes in bytes, and characters for reasons and stacks. */
export interface Setup {
  readonly targets: readonly string[];
  /** Runs at once; further jobs wait in the child. */
  readonly slots: number;
  /** Has each run the process for itself? Then there is one slot, and the watchdog takes back what waits. */
  readonly isAlone: boolean;
  /** 0: what runs write is not kept but shown. */
  readonly outputCap: number;
  readonly resultCap: number;
  readonly reasonCap: number;
  readonly tracebackCap: number;
}

/** What a child serves: by name, the policy and the entry of the catalog. */
export interface Hello {
  readonly functions: Readonly<Record<string, { readonly policy: object; readonly catalog: string }>>;
}

/** Why a child could not start. usage: what was asked for is not there; else text is the stack of the user's code. */
export interface Broken {
  readonly usage: boolean;
  readonly text: string;
}

/** Bytes between parent and child that are no frame. */
export class BrokenFrame extends DoshitError {
  override name = 'BrokenFrame';
}

const HEAD = 4; // bytes of a length
const FIRST = 1 << 16; // bytes of a packer that has packed nothing large
const COPIED = 4096; // bytes below which a copy costs less than another buffer
const FRAME_MOST = 256 << 20; // far over any frame: a longer length is no length
const NONE = 0xffffffff; // the length of bytes that are not there
const NOTHING = Buffer.alloc(0);

/** Gathers frames into one write. */
export class Packer {
  #buffer = Buffer.allocUnsafe(FIRST);
  #at = 0;
  #frame = 0;

  get isEmpty(): boolean {
    return this.#at === 0;
  }

  begin(kind: number): this {
    this.#reserve(HEAD + 1);
    this.#frame = this.#at;
    this.#at += HEAD;
    this.#buffer[this.#at++] = kind;
    return this;
  }

  end(): void {
    this.#buffer.writeUInt32LE(this.#at - this.#frame - HEAD, this.#frame);
  }

  number(value: number): this {
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
    return this;
  }

  bytes(value: Buffer | null): this {
    const length = value?.length ?? 0;
    this.#reserve(HEAD + length);
    this.#at = this.#buffer.writeUInt32LE(value === null ? NONE : length, this.#at);
    value?.copy(this.#buffer, this.#at);
    this.#at += length;
    return this;
  }

  text(value: string): this {
    this.#reserve(HEAD + value.length * 3);
    const length = this.#buffer.write(value, this.#at + HEAD, 'utf8');
    this.#buffer.writeUInt32LE(length, this.#at);
    this.#at += HEAD + length;
    return this;
  }

  /** All frames so far, which are then the caller's. */
  take(): Buffer {
    const frames = this.#buffer.subarray(0, this.#at);
    this.#at = 0;
    if (frames.length <= COPIED) return Buffer.from(frames);
    this.#buffer = Buffer.allocUnsafe(FIRST);
    return frames;
  }

  /** All frames so far; what they lie in is used again, so they must be away before the next begin(). */
  lend(): Buffer {
    const frames = this.#buffer.subarray(0, this.#at);
    this.#at = 0;
    if (this.#buffer.length > 16 * FIRST) this.#buffer = Buffer.allocUnsafe(FIRST);
    return frames;
  }

  #reserve(more: number): void {
    const needed = this.#at + more;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

/** Reads the payload of one frame, in the order in which it was packed. */
export class Payload {
  constructor(
    private readonly data: Buffer,
    private at: number,
    private readonly stop: number,
  ) {}

  get isOver(): boolean {
    return this.at >= this.stop;
  }

  number(): number {
    const value = this.data.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** A view, not a copy. */
  bytesOrNull(): Buffer | null {
    const length = this.data.readUInt32LE(this.at);
    this.at += HEAD;
    if (length === NONE) return null;
    const end = this.at + length;
    if (end > this.stop) throw new BrokenFrame('bytes from a child that are no message');
    const bytes = this.data.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  bytes(): Buffer {
    return this.bytesOrNull() ?? NOTHING;
  }

  text(): string {
    const start = this.at + HEAD;
    const end = start + this.data.readUInt32LE(this.at);
    if (end > this.stop) throw new BrokenFrame('bytes from a child that are no message');
    this.at = end;
    return this.data.toString('utf8', start, end);
  }
}

/** Turns a stream of bytes back into frames. */
export class FrameReader {
  #parts: Buffer[] = [];
  #size = 0;
  #needed = HEAD;

  constructor(private readonly hear: (kind: number, payload: Payload) => void) {}

  /** Hears all frames that are complete now. Throws BrokenFrame, and then reads no more. */
  feed(data: Buffer): void {
    this.#parts.push(data);
    this.#size += data.length;
    if (this.#size < this.#needed) return;
    const all = this.#parts.length === 1 ? data : Buffer.concat(this.#parts);
    const rest = all.subarray(this.#read(all));
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
  }

  #read(all: Buffer): number {
    let at = 0;
    while (all.length - at >= HEAD) {
      const length = all.readUInt32LE(at);
      if (length < 1 || length > FRAME_MOST) throw new BrokenFrame(`a frame of ${length} bytes from a child`);
      this.#needed = HEAD + length;
      if (all.length - at < this.#needed) return at;
      at += this.#needed;
      this.#hear(all, at - length, at);
    }
    this.#needed = HEAD;
    return at;
  }

  #hear(all: Buffer, start: number, stop: number): void {
    try {
      this.hear(all[start]!, new Payload(all, start + 1, stop));
    } catch (error) {
      if (error instanceof RangeError) throw new BrokenFrame('bytes from a child that are no message');
      throw error;
    }
  }
}

const orNone = (value: number | undefined): number => value ?? Number.NaN;
const numberOf = (value: number): number | undefined => (Number.isNaN(value) ? undefined : value);

/** A job on its way to a child. */
export function packJob(packer: Packer, { number, timeLimit, memoryLimit, task }: Job): void {
  packer.begin(KIND.JOB).number(number).number(orNone(timeLimit)).number(orNone(memoryLimit));
  packer.bytes(task.function).bytes(task.args);
  packer.bytes(task.id).bytes(task.queue).bytes(task.claim).bytes(task.attempts);
  packer.bytes(task.username).bytes(task.traceparent).end();
}

/** The job as a child knows it. */
export function readJob(payload: Payload): Job {
  const number = payload.number();
  const [timeLimit, memoryLimit] = [numberOf(payload.number()), numberOf(payload.number())];
  const name = payload.text();
  return { number, task: new Received(name, payload), function: name, lane: 'shared', timeLimit, memoryLimit };
}

type Rest = Pick<Claimed, 'id' | 'queue' | 'claim' | 'attempts' | 'username' | 'traceparent'>;

/** A task as a child knows it. Most handlers look at their arguments alone, so the rest is read when it is asked for. */
class Received implements Claimed {
  readonly args: Buffer;
  #rest: Rest | undefined;
  // What only the parent has to know.
  readonly timeLimit = null;
  readonly memoryLimit = null;
  readonly retries = null;
  readonly retryDelay = null;
  readonly retryBackoff = null;
  readonly retried = null;
  readonly lost = NOTHING;

  constructor(
    private readonly name: string,
    private readonly payload: Payload,
  ) {
    this.args = payload.bytes();
  }

  get function(): Buffer {
    return Buffer.from(this.name);
  }

  get #others(): Rest {
    this.#rest ??= {
      ...{ id: this.payload.bytes(), queue: this.payload.bytes() },
      ...{ claim: this.payload.bytes(), attempts: this.payload.bytes() },
      ...{ username: this.payload.bytesOrNull(), traceparent: this.payload.bytesOrNull() },
    };
    return this.#rest;
  }

  get id(): Buffer {
    return this.#others.id;
  }

  get queue(): Buffer {
    return this.#others.queue;
  }

  get claim(): Buffer {
    return this.#others.claim;
  }

  get attempts(): Buffer {
    return this.#others.attempts;
  }

  get username(): Buffer | null {
    return this.#others.username;
  }

  get traceparent(): Buffer | null {
    return this.#others.traceparent;
  }
}

/** An order to end a run. */
export function packOrder(packer: Packer, number: number, why: Why, reason: string): void {
  packer.begin(KIND.ORDER).number(number).text(why).text(reason).end();
}

// Whether another run may go better, as one number: null and true have no other.
const packAgain = (again: Again): number =>
  again === null ? Number.NaN : again === true ? Number.POSITIVE_INFINITY : again;

function readAgain(value: number): Again {
  if (Number.isNaN(value)) return null;
  return value === Number.POSITIVE_INFINITY ? true : value;
}

/** How a run has failed. */
export function packFailure(packer: Packer, number: number, { code, reason, trace, again }: Failure): void {
  packer.begin(KIND.FAILED).number(number).text(code).text(reason).text(trace).number(packAgain(again)).end();
}

/** The rest of such a frame, behind the number. */
export function readFailure(payload: Payload): Failure {
  const code = payload.text() as Failure['code'];
  return { code, reason: payload.text(), trace: payload.text(), again: readAgain(payload.number()) };
}
