/** The producer's side: submit tasks, wait for their ends, look after those that failed. Runs none of them. */

export { Client, type ClientOptions, type ReadyJob } from './app.js';
export { type Abortable, Handle } from './handle.js';
export { type Failure, type OutputLine, type Progress, TaskInfo } from './info.js';
export type { EnqueueOptions, TaskOptions } from './options.js';
export type { FailedFilter } from './plans.js';
export type { WaitOptions } from './side.js';
export type { AnyFunctions, Signature } from './typing.js';
