/**
 * Reads a URL: one server, Sentinels, or nodes of a cluster. Connects to nothing.
 *
 * The forms are those that the Python package reads, so that one DOSHIT_REDIS serves both.
 */

/** Where a server listens. */
export interface Host {
  readonly name: string;
  readonly port: number;
}

/** What a URL says. hosts: none for a unix socket. options: what stands behind the question mark. */
export interface Address {
  readonly kind: 'server' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  readonly hosts: readonly Host[];
  readonly socket: string;
  readonly username: string;
  readonly password: string;
  readonly service: string;
  readonly db: number;
  readonly options: ReadonlyMap<string, string>;
}

const PORTS = { server: 6379, sentinel: 26379, cluster: 6379 } as const;
const PARTS = /^(?<members>[^/?#]*)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?/s;
const HOST = /^(?:\[(?<six>[0-9a-fA-F:.%]+)\]|(?<name>[^:[\]]*))(?::(?<port>\d{1,5}))?$/;

/** Throws an Error that quotes nothing of the URL: any part of a broken one may belong to a password. */
export function readUrl(url: string): Address {
  const [scheme, rest] = halves(url, '://');
  const [base, topology] = halves(scheme.toLowerCase(), '+');
  if (!url.includes('://')) throw new Error('it has no scheme');
  if (base === 'unix' && !topology) return unixAddress(rest);
  if (!['redis', 'rediss'].includes(base) || !['', 'sentinel', 'cluster'].includes(topology)) {
    throw new Error('its scheme is not known');
  }
  const kind = topology === '' ? 'server' : (topology as 'sentinel' | 'cluster');
  return netAddress(kind, base === 'rediss', rest);
}

function netAddress(kind: Address['kind'], tls: boolean, rest: string): Address {
  const { members = '', path = '', query = '' } = PARTS.exec(rest)?.groups ?? {};
  if (halves(rest.slice(members.length), '?')[0].includes('@')) {
    throw new Error('a special character of its password must be written as %XX');
  }
  const at = members.lastIndexOf('@');
  const hosts = members
    .slice(at + 1)
    .split(',')
    .map((member) => readHost(member, PORTS[kind]));
  if (kind === 'server' && hosts.length > 1) {
    throw new Error('several hosts need redis+sentinel:// or redis+cluster://');
  }
  const [service, database] = kind === 'sentinel' ? serviceOf(path) : ['', path.replace(/^\//, '')];
  const options = readOptions(query);
  return {
    kind,
    tls,
    hosts,
    socket: '',
    service,
    db: readDb(options.get('db') ?? database),
    options,
    ...login(members.slice(0, Math.max(at, 0)), options),
  };
}

function unixAddress(rest: string): Address {
  const [where, query] = halves(rest, '?');
  const slash = where.indexOf('/');
  if (slash < 0) throw new Error('behind unix:// stands no path that begins with /');
  const options = readOptions(query);
  const socket = decode(where.slice(slash));
  const user = login(where.slice(0, slash).replace(/@$/, ''), options);
  return {
    kind: 'server',
    tls: false,
    hosts: [],
    socket,
    service: '',
    db: readDb(options.get('db') ?? ''),
    options,
    ...user,
  };
}

function login(text: string, options: ReadonlyMap<string, string>): { username: string; password: string } {
  const [username, password] = halves(text, ':').map(decode) as [string, string];
  return {
    username: username || (options.get('username') ?? ''),
    password: password || (options.get('password') ?? ''),
  };
}

function readHost(member: string, port: number): Host {
  const found = HOST.exec(member)?.groups;
  if (!found)
    throw new Error('a host and its port cannot be read; write host:port, and characters of a password as %XX');
  const at = Number(found.port ?? port);
  if (at > 65_535) throw new Error('a port is at most 65535');
  return { name: found.six ?? (decode(found.name ?? '') || 'localhost'), port: at };
}

/** The name that the Sentinels know the primary by, and the database. */
function serviceOf(path: string): [string, string] {
  const [name, database] = halves(path.replace(/^\/+|\/+$/g, ''), '/');
  if (/^\d+$/.test(name) && !database) {
    throw new Error('the name of the service comes before the database: redis+sentinel://host:26379/mymaster/0');
  }
  return [decode(name) || 'mymaster', database];
}

function readDb(text: string): number {
  if (!/^\d*$/.test(text)) throw new Error('behind the host stands no number of a database');
  return Number(text);
}

function readOptions(query: string): Map<string, string> {
  const parts = query.split('&').filter(Boolean);
  return new Map(parts.map((part) => halves(part, '=').map(decode) as [string, string]));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('a % in it is not followed by two hexadecimal digits of UTF-8');
  }
}

function halves(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)];
}
