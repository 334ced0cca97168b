/**
 * The errors a user of doshit can meet; knows nothing else of the package.
 *
 *     Error
 *     └── DoshitError
 *         ├── ConfigurationError      a setting, a name or a target that cannot be used
 *         │   └── BadTask             a function that cannot be a task as it is written
 *         ├── BadArguments            a call that its function would refuse; nothing was pushed
 *         ├── IdConflict              the id is taken by another function or other arguments
 *         ├── ResultNotJson           a return value that JSON cannot carry
 *         ├── BadValue                bytes in Redis that are not the JSON they should be
 *         ├── ServerError             what Redis refused
 *         │   ├── NotPermitted        the user of the URL may not run a command that is needed
 *         │   ├── ServerUnavailable   nobody answers there
 *         │   └── ServerUnsuitable    somebody answers, but doshit cannot work with it
 *         └── ResultError             what a waiter can get in place of a result
 *             ├── TaskFailed          the task ended, and failed
 *             ├── TaskVanished        there is no such task, or no longer
 *             └── WaitTimeout         the task has not ended in time
 *
 * A message says what is wrong, where, and the next step.
 *
 * Four more are no errors of doshit, but how a run and its worker speak to each other:
 *
 *     Error
 *     ├── Retry                       thrown or returned by a task: run me again
 *     ├── Cancel                      thrown or returned by a task: I need not be done
 *     ├── TimeLimitExceeded           why the signal of a run aborted: its time is up
 *     └── TaskCancelled               why the signal of a run aborted: somebody cancelled it
 */

/** The root of everything doshit throws on purpose. */
export class DoshitError extends Error {
  override name = 'DoshitError';
}

/** A setting, a name or a target that cannot be used. */
export class ConfigurationError extends DoshitError {
  override name = 'ConfigurationError';
}

/** A function that cannot be a task as it is written. */
export class BadTask extends ConfigurationError {
  override name = 'BadTask';
}

/**
 * A call that its function would refuse. At the caller: nothing was pushed.
 *
 * `function`: its name; `parameter`: the one at fault, or undefined; `reason`: one line that says where.
 */
export class BadArguments extends DoshitError {
  override name = 'BadArguments';
  readonly reason: string;
  readonly function: string;
  readonly parameter: string | undefined;

  constructor(reason: string, functionName = '', parameter?: string) {
    super(functionName ? `${functionName}: ${reason}` : reason);
    this.reason = reason;
    this.function = functionName;
    this.parameter = parameter;
  }
}

/**
 * The id is taken by another function or other arguments.
 *
 * `id`: the id. An id is the idempotency key of its task as long as the task's hash lives. `handles`: after
 * enqueueMany, the handles of what was submitted all the same, in order, undefined at each conflict.
 */
export class IdConflict extends DoshitError {
  override name = 'IdConflict';
  readonly id: string;
  readonly handles: readonly unknown[];

  constructor(id: string, handles: readonly unknown[] = []) {
    super(
      `task id ${JSON.stringify(id)} is taken by another function or other arguments; ` +
        `choose another id, or read that task with \`doshit show ${id}\``,
    );
    this.id = id;
    this.handles = handles;
  }
}

/** A return value that JSON cannot carry. The message says where in the value and why. */
export class ResultNotJson extends DoshitError {
  override name = 'ResultNotJson';
}

/** Bytes in Redis that are not the JSON they should be. */
export class BadValue extends DoshitError {
  override name = 'BadValue';
}

/** What Redis refused: the message is Redis's own, with the next step where one is known. */
export class ServerError extends DoshitError {
  override name = 'ServerError';
}

/** The user of the URL may not run a command that is needed, or not on this key or channel. */
export class NotPermitted extends ServerError {
  override name = 'NotPermitted';
}

/** Nobody answers there; the message says what was tried and the ways to get a server. */
export class ServerUnavailable extends ServerError {
  override name = 'ServerUnavailable';
}

/** Somebody answers, but doshit cannot work with it: too old, a cluster, a replica. */
export class ServerUnsuitable extends ServerError {
  override name = 'ServerUnsuitable';
}

/** What a waiter can get in place of a result. `id`: the task's. */
export class ResultError extends DoshitError {
  override name = 'ResultError';
  readonly id: string;

  constructor(message: string, id: string) {
    super(message);
    this.id = id;
  }
}

/**
 * The task ended, and failed.
 *
 * `code`: one word of protocol/tables/errors.json, for example "exception" or "bad-args"; `reason`: one line for a
 * person; `remoteStack`: the stack or traceback of the run as text, or "".
 */
export class TaskFailed extends ResultError {
  override name = 'TaskFailed';
  readonly code: string;
  readonly reason: string;
  readonly remoteStack: string;

  constructor(id: string, code: string, reason: string, remoteStack = '') {
    super(`task ${id} failed (${code}): ${reason}`, id);
    this.code = code;
    this.reason = reason;
    this.remoteStack = remoteStack;
  }
}

/** There is no such task, or no longer: its hash expired or was deleted. */
export class TaskVanished extends ResultError {
  override name = 'TaskVanished';

  constructor(id: string) {
    super(
      `task ${id} is not in Redis: it was never submitted, or its result has expired; submit it again if you need it`,
      id,
    );
  }
}

/** The task has not ended in time; it goes on. `seconds`: how long was waited. */
export class WaitTimeout extends ResultError {
  override name = 'WaitTimeout';
  readonly seconds: number;

  constructor(id: string, seconds: number) {
    super(
      `task ${id} has not ended within ${seconds} s; it goes on: wait again, or look with \`doshit show ${id}\``,
      id,
    );
    this.seconds = seconds;
  }
}

/**
 * Thrown or returned by a task: run it again, whatever its policy says.
 *
 * `after`: seconds until then; undefined: as its retryDelay and retryBackoff say. `reason`: one line, kept with the
 * attempt. It counts as a retry: where `retries` is set, that many are granted, else 100. Throws ConfigurationError
 * for an `after` that is no duration.
 */
export class Retry extends Error {
  override name = 'Retry';
  readonly after: number | undefined;
  readonly reason: string;

  constructor({ after, reason = '' }: { after?: number | undefined; reason?: string | undefined } = {}) {
    if (after !== undefined && !(typeof after === 'number' && after >= 0 && after < 1e10)) {
      throw new ConfigurationError(`new Retry({ after: ${String(after)} }): give 0 or more seconds`);
    }
    const when = after === undefined ? '' : ` after ${after} s`;
    super(reason || `the task asked to be run again${when}`);
    this.after = after;
    this.reason = reason;
  }
}

/** Thrown or returned by a task: it need not be done. It fails with the code "cancelled" and this reason. */
export class Cancel extends Error {
  override name = 'Cancel';
  readonly reason: string;

  constructor(reason = '') {
    super(reason || 'the task cancelled itself');
    this.reason = reason;
  }
}

/** Why the signal of a run aborted: its time is up. Clean up and end; what stays is ended after a short grace. */
export class TimeLimitExceeded extends Error {
  override name = 'TimeLimitExceeded';
}

/** Why the signal of a run aborted: it was cancelled. Clean up and end; what stays is ended after a short grace. */
export class TaskCancelled extends Error {
  override name = 'TaskCancelled';
}
