/** The words and the numbers of the protocol, as protocol/tables has them. */

import { ERRORS, STATES } from '../_protocol/tables.js';

export const PROTOCOL_VERSION = STATES.version;

/** Where a task is in its life; there are no others. */
export type State = (typeof STATES.states)[number]['name'];

/** How a finished task ended. */
export type Result = (typeof STATES.results)[number]['name'];

/** Why a task failed: one vocabulary in every language. */
export type ErrorCode = (typeof ERRORS.codes)[number]['code'];

/** All of them, in the order of the table. */
export const ERROR_CODES: readonly ErrorCode[] = ERRORS.codes.map(({ code }) => code);

// Times, in seconds unless said otherwise; the protocol's own numbers stand in the Lua.
export const BEAT = 2;
export const LEASE_MS = 10_000;
export const RESULT_TTL = 86_400;
export const FAILED_TTL = 604_800;
export const LOSSES = 3;
// Sizes in bytes.
export const ARGS_CAP = 1 << 20;
export const RESULT_CAP = 1 << 20;
export const OUTPUT_CAP = 64 << 10;
export const REASON_CAP = 4 << 10;
export const TRACEBACK_CAP = 64 << 10;
