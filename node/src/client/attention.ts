/**
 * Keeps the event loop from falling asleep while an answer is near. Knows no task and no connection.
 *
 * A process that sleeps takes some 20 to 50 microseconds to wake up, which is much of what a near Redis needs to answer.
 * So where one answer is awaited and the last came soon, it is waited for awake, and not for longer than that takes. Of
 * many that are awaited at once none is waited for so: then not the wait for one decides how fast all is.
 */

// ms: an answer that took longer is not near, and none is waited for awake any longer than this.
const NEAR = 0.5;

/** The answers of one kind. now: the clock, in ms; soon: calls something when the event loop comes round. */
export class Attention {
  #last = Number.POSITIVE_INFINITY;
  #awaited = 0;
  #until = 0;
  #awake = false;

  constructor(
    private readonly now = () => performance.now(),
    private readonly soon: (look: () => void) => void = setImmediate,
  ) {}

  /** One is awaited from now on; what end() takes. */
  begin(): number {
    const now = this.now();
    this.#awaited += 1;
    if (this.#awaited === 1 && this.#last < NEAR) this.#stayAwake(now + NEAR);
    return now;
  }

  /** It has come. */
  end(begun: number): void {
    this.#awaited -= 1;
    this.#last = this.now() - begun;
  }

  #stayAwake(until: number): void {
    this.#until = until;
    if (this.#awake) return;
    this.#awake = true;
    this.soon(this.#look);
  }

  // The event loop looks at its sockets between two of these.
  readonly #look = (): void => {
    this.#awake = this.#awaited === 1 && this.now() < this.#until;
    if (this.#awake) this.soon(this.#look);
  };
}
