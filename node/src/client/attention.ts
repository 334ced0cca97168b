/**
 * Keeps the event loop from falling asleep while an answer is near, where that pays. Knows no task and no connection.
 *
 * A process that sleeps takes some 20 to 50 microseconds to wake up, which is much of what a near Redis needs to answer.
 * But who stays awake keeps a core from others, and where there are few they may need it. So both ways are measured all
 * the time, and the awake one is taken only where it is clearly faster. Of several answers that are awaited at once none
 * is awaited awake: then the wait for one does not decide how fast all is.
 */

// ms: an answer that takes longer is not near, and none is waited for awake any longer than this.
const NEAR = 0.5;
// Clearly faster is one that takes at most this much of the other's time.
const WORTH = 0.9;
const STEP = 1 / 32; // by which one answer moves the median
const TRY_EVERY = 16; // the other way is tried this often

/** The answers of one kind. now: the clock, in ms; soon: calls something when the event loop comes round. */
export class Attention {
  // ms that an answer takes: the running medians. At first one is awaited asleep, and then one awake.
  #asleep = Number.POSITIVE_INFINITY;
  #awake = 0;
  #awaited = 0;
  #count = 0;
  // How the only one that is awaited is awaited; undefined: it is, or was, not the only one.
  #way: 'asleep' | 'awake' | undefined;
  #until = 0;
  #looping = false;

  constructor(
    private readonly now = () => performance.now(),
    private readonly soon: (look: () => void) => void = setImmediate,
  ) {}

  /** One is awaited from now on; what end() takes. */
  begin(): number {
    const now = this.now();
    this.#awaited += 1;
    this.#count += 1;
    this.#way = this.#awaited > 1 ? undefined : this.#paysAwake() ? 'awake' : 'asleep';
    if (this.#way === 'awake') this.#stayAwake(now + NEAR);
    return now;
  }

  /** It has come. */
  end(begun: number): void {
    const took = this.now() - begun;
    this.#awaited -= 1;
    if (this.#way === 'asleep') this.#asleep = median(this.#asleep, took);
    else if (this.#way === 'awake') this.#awake = median(this.#awake, took);
    this.#way = undefined;
  }

  #paysAwake(): boolean {
    if (this.#asleep >= NEAR) return false;
    const isFaster = this.#awake <= this.#asleep * WORTH;
    return this.#count % TRY_EVERY === 0 ? !isFaster : isFaster;
  }

  #stayAwake(until: number): void {
    this.#until = until;
    if (this.#looping) return;
    this.#looping = true;
    this.soon(this.#look);
  }

  // The event loop looks at its sockets between two of these.
  readonly #look = (): void => {
    this.#looping = this.#way === 'awake' && this.now() < this.#until;
    if (this.#looping) this.soon(this.#look);
  };
}

function median(before: number, took: number): number {
  if (before === Number.POSITIVE_INFINITY || before === 0) return took;
  return before * (took > before ? 1 + STEP : 1 - STEP);
}
