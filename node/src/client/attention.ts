/**
 * Keeps the event loop from falling asleep while an answer is near, where that pays. Knows no task and no connection.
 *
 * A process that sleeps takes some 20 to 50 microseconds to wake up, which is much of what a near Redis needs to answer.
 * But who stays awake keeps a core from others, and where there are few they may need it. So the other way is tried now
 * and then, against what the usual way takes at that time, and becomes the usual one when it has won more often than lost:
 * on a busy machine an answer takes twice as long from one second to the next, either way. Of several answers that are
 * awaited at once none is awaited awake: then the wait for one does not decide how fast all is.
 */

// ms: an answer that takes longer is not near, and none is waited for awake any longer than this.
const NEAR = 0.5;
// One try asleep shows less than to be asleep always, when the others sleep too: it has won if it took this much of the time.
const WORTH = 0.85;
const STEP = 1 / 32; // by which one answer moves the median
const TRY_EVERY = 16; // the other way is tried this often
const WINS = 4; // more than defeats, and the other way becomes the usual one

/** The answers of one kind. now: the clock, in ms; soon: calls something when the event loop comes round. */
export class Attention {
  #isUsuallyAwake = false;
  // ms that an answer takes in the usual way: the running median.
  #usual = Number.POSITIVE_INFINITY;
  // The first try decides alone.
  #wins = WINS - 1;
  #hasTried = false;
  #count = 0;
  #awaited = 0;
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
    this.#way = this.#awaited > 1 ? undefined : this.#isAwakeNow() ? 'awake' : 'asleep';
    if (this.#way === 'awake') this.#stayAwake(now + NEAR);
    return now;
  }

  /** It has come. */
  end(begun: number): void {
    const took = this.now() - begun;
    this.#awaited -= 1;
    const way = this.#way;
    this.#way = undefined;
    if (way === undefined) return;
    if ((way === 'awake') !== this.#isUsuallyAwake) this.#tried(took);
    else this.#usual = median(this.#usual, took);
    if (this.#usual >= NEAR) this.#isUsuallyAwake = false;
  }

  #isAwakeNow(): boolean {
    if (this.#usual >= NEAR) return false;
    const isTry = !this.#hasTried || this.#count % TRY_EVERY === 0;
    return isTry !== this.#isUsuallyAwake;
  }

  #tried(took: number): void {
    const hasWon = took <= this.#usual * (this.#isUsuallyAwake ? WORTH : 1);
    this.#hasTried = true;
    this.#wins = hasWon ? this.#wins + 1 : Math.max(0, this.#wins - 1);
    if (this.#wins < WINS) return;
    this.#isUsuallyAwake = !this.#isUsuallyAwake;
    this.#usual = took;
    this.#wins = 0;
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
  if (before === Number.POSITIVE_INFINITY) return took;
  return before * (took > before ? 1 + STEP : 1 - STEP);
}
