/** The worker's side, for a process of the user's own. The processes of the command line are in host/ and isolate/. */

export type { Level } from './engine/log.js';
export type { FunctionOptions, Functions, Handler, JsonSchema, RetryOn, StandardSchema } from './functions.js';
export type { Task } from './task.js';
export { Worker, type WorkerApp, type WorkerOptions } from './worker.js';
