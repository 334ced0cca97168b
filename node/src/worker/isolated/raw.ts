/** What comes through the stdout and stderr of a process, below the console: native code and child processes write so. */

import { StringDecoder } from 'node:string_decoder';
import type { Job } from '../engine/executor.js';

const HEAP_FULL = 'heap out of memory'; // what V8 says before it aborts
const TAIL = 4096; // characters of the end in which that stands

type Stream = 'stdout' | 'stderr';

/** Gives text to the run that is under way, as much as is kept of it; a flood is read and dropped. */
export class Raw {
  #decoders = newDecoders();
  #of: Job | undefined;
  #passed = 0;
  #tail = '';

  constructor(
    private readonly cap: number,
    private readonly tell: (stream: Stream, text: string) => void,
  ) {}

  /** job: whose it is; undefined: no run's, so it is shown. */
  take(stream: Stream, data: Buffer, job: Job | undefined): void {
    if (job !== this.#of) this.#turn(job);
    if (stream === 'stderr') this.#tail = (this.#tail + data.toString('latin1').slice(-TAIL)).slice(-TAIL);
    if (job === undefined) {
      process[stream].write(data);
      return;
    }
    const room = this.cap + 1 - this.#passed;
    if (room <= 0) return;
    const text = this.#decoders[stream].write(data.subarray(0, room));
    this.#passed += Math.min(data.length, room);
    if (text !== '') this.tell(stream, text);
  }

  #turn(job: Job | undefined): void {
    this.#of = job;
    this.#passed = 0;
    this.#decoders = newDecoders();
    this.#tail = '';
  }

  /** Did V8 say that there is no memory left for it? */
  get isHeapFull(): boolean {
    return this.#tail.includes(HEAP_FULL);
  }
}

const newDecoders = () => ({ stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') });
