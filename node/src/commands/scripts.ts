/** The Lua scripts as values, from the generated copy of protocol/lua. A script's identity is its content. */

import { SOURCES } from '../_protocol/scripts.js';

/** The name of a transition. */
export type ScriptName = keyof typeof SOURCES;

/** One transition: the text that is sent, with its parts put in, and the SHA1 of that text in hex. */
export interface Script {
  readonly name: ScriptName;
  readonly source: string;
  readonly sha: string;
}

const entries = Object.entries(SOURCES).map(([name, found]) => [name, { name, ...found }]);

/** Every script by its name. */
export const SCRIPTS = Object.fromEntries(entries) as Readonly<Record<ScriptName, Script>>;
