/** What an error of Redis or of a connection means to a user, and the next step. Sends nothing. */

import { NotPermitted, ServerError, ServerUnavailable, ServerUnsuitable } from '../errors.js';
import { LinkLost } from './faults.js';

/** How a server is called in messages, and what must not be said in them. */
export interface Shown {
  readonly shown: string;
  readonly secrets: readonly string[];
}

type Kind = new (message: string) => ServerError;

/** Nobody could be reached just now. silent: one has waited for an answer, and none came. */
export class Unreached extends ServerUnavailable {
  // To a user it is one kind of error, whatever it is called here.
  override name = 'ServerUnavailable';
  silent = false;
  answered = true;
}

export const WAYS =
  'start one with `doshit server` (pip install "doshit[server]"), install one (apt install redis-server, ' +
  'brew install valkey), or name yours with new Doshit({ redis }), --redis or DOSHIT_REDIS';

export const FORMS =
  'write redis://host:6379/0, rediss:// for TLS, unix:///path, redis+sentinel://host:26379,host:26379/mymaster/0, ' +
  'or redis+cluster://host:6379,host:6379';

const CLUSTER =
  'this server is part of a cluster, and all keys of an app must lie in one slot of it: use a prefix with a tag, as ' +
  "prefix: '{doshit}' or DOSHIT_APP_PREFIX='{doshit}'";

const MEANINGS: readonly (readonly [signs: RegExp, kind: Kind, step: string])[] = [
  [
    /NOAUTH|WRONGPASS|invalid username-password|invalid password|without any password|no password is set/,
    ServerError,
    'check the user and password in the URL: redis://user:password@host:6379/0',
  ],
  [
    /NOPERM|ACL failure in script|The user executing the script can't/,
    NotPermitted,
    'give this user the commands and keys that it needs: docs/redis.md has the rights for each role',
  ],
  [
    /DB index is out of range|invalid DB index/,
    ServerError,
    'use a database number the server has: redis://host:6379/0',
  ],
  [
    /SELECT is not allowed in cluster/,
    ServerUnsuitable,
    'a cluster has database 0 only: leave the number out of the URL',
  ],
  [
    /CLUSTERDOWN|MASTERDOWN|TRYAGAIN|^ASK /,
    Unreached,
    'a cluster or replica is being changed; try again in a moment, see docs/redis.md if it stays so',
  ],
  [/^LOADING/, Unreached, 'the server is reading its data; try again in a moment'],
  [/^MOVED|CROSSSLOT|non local key|same slot/, ServerUnsuitable, CLUSTER],
  [/READONLY/, ServerUnsuitable, 'this is a read-only replica; use the URL of the primary'],
  [/OOM/, ServerError, 'the server has reached its maxmemory; free memory or raise it, then submit again'],
  [/unknown command|wrong number of arguments/, ServerUnsuitable, 'doshit needs Redis 6.2 or newer, or Valkey'],
  [/WRONGTYPE/, ServerError, 'another program uses this key; choose another prefix, or remove the key'],
  [/MISCONF/, ServerError, 'the server cannot write its data to disk; see its log'],
  [
    /SELF_SIGNED|UNABLE_TO_|CERT_|ALTNAME|certificate verify failed|unable to verify/,
    ServerUnsuitable,
    'name the authority that signed its certificate with ?ssl_ca_certs=/path/ca.pem, and the host as it stands there',
  ],
  [
    /WRONG_VERSION_NUMBER|wrong version number|PACKET_LENGTH|packet length|record layer failure/i,
    ServerUnsuitable,
    'this port does not speak TLS: write redis:// instead of rediss://, or use its TLS port',
  ],
  [
    /CERTIFICATE_REQUIRED|certificate required|handshake failure/i,
    ServerUnsuitable,
    'it may ask clients for a certificate: add ?ssl_certfile=/path/cert.pem&ssl_keyfile=/path/key.pem',
  ],
];

/** The URL without its passwords, for messages and logs. Of one that is not well formed, rather less than more. */
export function redact(url: string): string {
  const mark = url.indexOf('://');
  if (mark < 0) return '(a URL that cannot be read)';
  const scheme = url.slice(0, mark);
  const rest = url.slice(mark + 3);
  const at = rest.lastIndexOf('@');
  const login = rest.slice(0, Math.max(at, 0));
  // Which part is the password cannot be told.
  if (/[/?#@]/.test(login)) return `${scheme}://***`;
  const colon = login.indexOf(':');
  const user = colon < 0 ? '' : login.slice(0, colon + 1);
  const shown = at < 0 ? '' : `${user}***@`;
  return `${scheme}://${shown}${rest.slice(at + 1).replace(/(?<=[?&])((?:sentinel_|ssl_)?password=)[^&]*/g, '$1***')}`;
}

/** A message from elsewhere, without what is secret. The longest first: one may be a part of another. */
export function scrub(message: string, secrets: readonly string[]): string {
  const longest = [...new Set(secrets)].filter(Boolean).sort((a, b) => b.length - a.length);
  return longest.reduce((said, secret) => said.replaceAll(secret, '***'), message);
}

/** What a Refusal or a LinkLost means to a user of doshit. Any other error stays itself. */
export function explain(error: unknown, { shown, secrets }: Shown): Error {
  if (!(error instanceof Error) || error instanceof ServerError) return error as Error;
  const message = scrub(error.message, secrets);
  const meaning = MEANINGS.find(([signs]) => signs.test(message));
  if (meaning !== undefined) return new meaning[1](`Redis at ${shown} refused: ${message}; ${meaning[2]}`);
  if (error instanceof LinkLost) return unreached(error, message, shown);
  return new ServerError(`Redis at ${shown} refused: ${message}`);
}

function unreached(error: LinkLost, message: string, shown: string): Unreached {
  const plain = 'if this port does not speak TLS, write redis:// instead of rediss://; or ';
  const hint = !error.answered && shown.startsWith('rediss') ? plain : '';
  const found = new Unreached(`no Redis answers at ${shown} (${message}); ${hint}${WAYS}`);
  found.silent = /no answer|ETIMEDOUT/.test(message);
  found.answered = error.answered;
  return found;
}

/** Why a prefix will not do on a cluster, and what would. */
export function tagless(prefix: string): string {
  return CLUSTER.replaceAll('{doshit}', `{${prefix}}`);
}

/** Throws ServerUnsuitable for a server that is too old, a replica, or a cluster with a prefix without a {tag}. */
export function judgeServer(info: string, { shown }: Shown, prefix: string): void {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = field('valkey_version') || field('redis_version');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (version && (major < 6 || (major === 6 && minor < 2))) {
    throw new ServerUnsuitable(`Redis at ${shown} is ${version}; doshit needs 6.2 or newer, or Valkey: ${WAYS}`);
  }
  if (field('cluster_enabled') === '1' && !prefix.includes('{')) {
    throw new ServerUnsuitable(`Redis at ${shown} will not do: ${tagless(prefix)}`);
  }
  if (field('role') === 'slave' && field('slave_read_only') !== '0') {
    throw new ServerUnsuitable(`Redis at ${shown} is a read-only replica; use the URL of the primary`);
  }
}
