/**
 * Keeps the event loop from falling asleep while an answer is near. Knows no task and no connection.
 *
 * A process that sleeps takes some 20 to 50 microseconds to wake up, which is much of what a near Redis needs to answer.
 * So where the last answer came soon, the next is waited for awake, and not for longer than that takes.
 */

// ms: an answer that took longer is not near, and none is waited for awake any longer than this.
const NEAR = 0.5;

/** The answers of one kind. */
export class Attention {
  #last = Number.POSITIVE_INFINITY;
  #awaited = 0;
  #until = 0;
  #awake = false;

  /** One is awaited from now on; what end() takes. */
  begin(): number {
    const now = performance.now();
    this.#awaited += 1;
    if (this.#last < NEAR) this.#stayAwake(now + NEAR);
    return now;
  }

  /** It has come. */
  end(begun: number): void {
    this.#awaited -= 1;
    this.#last = performance.now() - begun;
  }

  #stayAwake(until: number): void {
    this.#until = until;
    if (this.#awake) return;
    this.#awake = true;
    setImmediate(this.#look);
  }

  // The event loop looks at its sockets between two of these.
  readonly #look = (): void => {
    this.#awake = this.#awaited > 0 && performance.now() < this.#until;
    if (this.#awake) setImmediate(this.#look);
  };
}
