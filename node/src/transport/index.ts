/** The only room that knows a Redis client: calls and commands, blocking lines, subscriptions. */

export { redact } from './explain.js';
export type { Line } from './line.js';
export { Pauses } from './pauses.js';
export type { Listening, Subscription } from './subscription.js';
export type { ReadyClient, RedisSource } from './target.js';
export { type CommandOptions, Transport, type TransportOptions } from './transport.js';
