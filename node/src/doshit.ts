/** An application as its users have it: the client, and the worker in its own process. */

import { type AnyFunctions, Client } from './client/index.js';
import { type Functions, Worker, type WorkerOptions } from './worker/index.js';

/** See Client; with workers. */
export class Doshit<F extends object = AnyFunctions> extends Client<F> {
  /**
   * Starts a worker for these functions in this process, on the server and under the prefix of this app.
   *
   * Each is a handler `(args, task) => result`, or `{ handler, schema, timeLimit, retries, ... }`. It has connections
   * of its own: closing the client does not stop it, `await worker.stop()` does. Throws BadTask, ConfigurationError.
   */
  worker(functions: Functions, options: WorkerOptions = {}): Worker {
    return new Worker(this, functions, options);
  }
}
