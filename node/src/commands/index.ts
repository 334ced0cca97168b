/** One function per transition: values in, a Call out; the Call knows how to read its reply. No I/O. */

export * from './calls.js';
export { SCRIPTS, type Script, type ScriptName } from './scripts.js';
