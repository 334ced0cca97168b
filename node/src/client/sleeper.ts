/** The sleeps of one wait, which a bell, an AbortSignal or the end of the client cuts short. Knows no task. */

/** Made when a wait begins; end() must be called when it ends. */
export class Sleeper {
  #stopped: { readonly why: unknown } | undefined;
  #settle: (() => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #all: Set<Sleeper>;

  /** all: the sleepers of a client, which close() stops. Throws the reason of a signal that has aborted already. */
  constructor(all: Set<Sleeper>, signal?: AbortSignal) {
    signal?.throwIfAborted();
    this.#all = all;
    this.#signal = signal;
    all.add(this);
    if (signal !== undefined) attach(signal, this);
  }

  /** Wakes it from its sleep. */
  readonly ring = (): void => this.#settle?.();

  /** Its sleep, and each later one, ends by throwing this. */
  stop(why: unknown): void {
    this.#stopped ??= { why };
    this.ring();
  }

  end(): void {
    this.#all.delete(this);
    if (this.#signal !== undefined) detach(this.#signal, this);
  }

  /** Sleeps so many seconds, or until it is rung. The process lives on meanwhile. Throws what stopped it. */
  async sleep(seconds: number): Promise<void> {
    await this.#until(seconds, () => {});
  }

  /** What comes of something that may take long; undefined after so many seconds. Throws what stopped it. */
  async during<T>(work: Promise<T>, seconds: number): Promise<T | undefined> {
    let outcome: T | undefined;
    let failure: { readonly error: unknown } | undefined;
    if (this.#stopped !== undefined) work.catch(() => {}); // nobody hears what comes of it
    await this.#until(seconds, (settle) =>
      work.then(
        (value) => {
          outcome = value;
          settle();
        },
        (error) => {
          failure = { error };
          settle();
        },
      ),
    );
    if (failure !== undefined) throw failure.error;
    return outcome;
  }

  async #until(seconds: number, begin: (settle: () => void) => void): Promise<void> {
    if (this.#stopped === undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(seconds * 1000, LONGEST_MS));
        this.#settle = () => {
          clearTimeout(timer);
          resolve();
        };
        begin(this.#settle);
      });
      this.#settle = undefined;
    }
    if (this.#stopped !== undefined) throw this.#stopped.why;
  }
}

// One listener serves all that sleep under a signal: Node warns of more than ten.
const sleeping = new WeakMap<AbortSignal, Set<Sleeper>>();

function attach(signal: AbortSignal, sleeper: Sleeper): void {
  const same = sleeping.get(signal);
  if (same !== undefined) return void same.add(sleeper);
  sleeping.set(signal, new Set([sleeper]));
  signal.addEventListener('abort', wakeAll, { once: true });
}

function detach(signal: AbortSignal, sleeper: Sleeper): void {
  const same = sleeping.get(signal);
  same?.delete(sleeper);
  if (same?.size !== 0) return;
  sleeping.delete(signal);
  signal.removeEventListener('abort', wakeAll);
}

function wakeAll({ target }: Event): void {
  const signal = target as AbortSignal;
  for (const sleeper of [...(sleeping.get(signal) ?? [])]) sleeper.stop(signal.reason);
}

// A timer of Node that is set for longer fires at once.
const LONGEST_MS = 2 ** 31 - 1;
