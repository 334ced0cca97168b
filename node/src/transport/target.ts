/**
 * Turns what a user gave (a URL, options, a ready client) into where to connect and how. Connects to nothing.
 *
 * Of a ready client the settings are taken; its connection is never used and never closed.
 */

import { readFileSync } from 'node:fs';
import { ConfigurationError } from '../errors.js';
import { type Address, type Host, readUrl } from './address.js';
import { FORMS, redact, type Shown, scrub } from './explain.js';
import type { RedisOptions } from './link.js';

/** What `new Doshit({ redis })` takes: a URL, options of ioredis, or a client of ioredis or node-redis. */
export type RedisSource = string | RedisOptions | ReadyClient;

/** A client of ioredis (Redis or Cluster) or node-redis (createClient or createCluster). */
export interface ReadyClient {
  readonly options?: object | undefined;
}

/** node: login, database and TLS of the servers; sentinel: those of the Sentinels; hosts: none for a unix socket. */
export interface Target extends Shown {
  readonly kind: Address['kind'];
  readonly hosts: readonly Host[];
  readonly node: RedisOptions;
  readonly sentinel: RedisOptions;
  readonly service: string;
}

/** Throws ConfigurationError when it cannot be read, or has an option that nobody knows. */
export function targetOf(source: RedisSource): Target {
  if (typeof source === 'string') return fromUrl(source);
  if (typeof source !== 'object' || source === null) throw unusable('it is neither a URL nor a client');
  const client = source as { options?: Loose; nodes?: () => { options?: Loose }[]; sendCommand?: unknown };
  if (client.options?.rootNodes) return fromNodeRedisCluster(client.options);
  if (typeof client.nodes === 'function') return fromCluster(client.nodes());
  if (typeof client.sendCommand !== 'function') return fromOptions(source as Loose);
  if (!client.options) throw unusable('this client tells no options');
  return isNodeRedis(client.options)
    ? fromNodeRedis(client.options as unknown as NodeRedisOptions)
    : fromOptions(client.options);
}

// Options of other people's clients, of many versions.
type Loose = RedisOptions & Record<string, unknown>;

// Options of redis-py that say how it works and not where the server is. A URL is shared by both languages.
const PASSED_OVER =
  /^(db|username|password|sentinel_(username|password)|protocol|client_name|max_connections|timeout|decode_responses|encoding(_errors)?|health_check_interval|retry_on_timeout|socket_(connect_timeout|timeout|keepalive))$/;

function fromUrl(url: string): Target {
  try {
    return read(url);
  } catch (error) {
    const why = scrub((error as Error).message, secretsOf(url));
    throw new ConfigurationError(`'${redact(url)}' is no Redis URL (${why}); ${FORMS}`);
  }
}

function read(url: string): Target {
  const address = readUrl(url);
  const { kind, hosts, socket, service, options } = address;
  for (const name of options.keys()) {
    if (!PASSED_OVER.test(name) && !(address.tls && name in TLS)) throw new Error(`nobody knows its option ${name}`);
  }
  const tls = address.tls ? { tls: tlsOf(options) } : {};
  const login = { username: address.username, password: address.password };
  const asked = { username: options.get('sentinel_username') ?? '', password: options.get('sentinel_password') ?? '' };
  return {
    kind,
    hosts,
    service,
    shown: redact(url),
    secrets: [...secretsOf(url), login.password, asked.password],
    node: { ...login, ...tls, db: address.db, ...(socket ? { path: socket } : {}) },
    sentinel: { ...asked, ...tls },
  };
}

function secretsOf(url: string): string[] {
  const [, rest = ''] = url.split('://', 2);
  const login = rest.slice(0, Math.max(rest.lastIndexOf('@'), 0));
  const named = [...url.matchAll(/(?<=[?&])(?:sentinel_|ssl_)?password=([^&]*)/g)].map((found) => found[1] ?? '');
  const raw = [login.slice(login.indexOf(':') + 1), ...named].filter(Boolean);
  return [...raw, ...raw.map(plain)];
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const TLS: Readonly<Record<string, (value: string) => object>> = {
  ssl_ca_certs: (path) => ({ ca: readFileSync(path) }),
  ssl_certfile: (path) => ({ cert: readFileSync(path) }),
  ssl_keyfile: (path) => ({ key: readFileSync(path) }),
  ssl_password: (passphrase) => ({ passphrase }),
  ssl_cert_reqs: (value) => (value === 'none' ? { rejectUnauthorized: false } : {}),
  ssl_check_hostname: (value) => (/^(false|0|no)$/i.test(value) ? { checkServerIdentity: () => undefined } : {}),
};

function tlsOf(options: ReadonlyMap<string, string>): object {
  return Object.assign({}, ...[...options].map(([name, value]) => TLS[name]?.(value)));
}

function fromOptions(options: Loose): Target {
  const { sentinels, host = 'localhost', port = 6379, path, db } = options;
  const where = path ?? `${host}:${port}`;
  const base = { shown: `redis://${where}/${db ?? 0}`, secrets: passwordsOf(options), service: '', sentinel: {} };
  const node = { ...options, sentinels: undefined };
  if (!sentinels?.length) {
    return { ...base, kind: 'server', node, hosts: path ? [] : [{ name: host, port: Number(port) }] };
  }
  const hosts = sentinels.map((one) => ({ name: one.host ?? 'localhost', port: Number(one.port ?? 26379) }));
  const service = options.name ?? 'mymaster';
  const shown = `redis+sentinel://${hosts.map((one) => `${one.name}:${one.port}`).join(',')}/${service}/${db ?? 0}`;
  const tls = options.enableTLSForSentinelMode ? options.tls : options.sentinelTLS;
  const { sentinelUsername: username, sentinelPassword: password } = options;
  return {
    ...base,
    kind: 'sentinel',
    shown,
    hosts,
    service,
    node,
    sentinel: { username, password, tls } as RedisOptions,
  };
}

function passwordsOf(options: Loose): string[] {
  return [options.password, options.sentinelPassword].filter((secret): secret is string => Boolean(secret));
}

function fromCluster(nodes: readonly { options?: Loose }[]): Target {
  const [first] = nodes;
  if (!first?.options) {
    throw unusable(
      'this cluster client has not met its nodes yet: await its connect(), or write redis+cluster://host:6379',
    );
  }
  const hosts = nodes.map(({ options }) => ({
    name: options?.host ?? 'localhost',
    port: Number(options?.port ?? 6379),
  }));
  return asCluster(hosts, first.options);
}

function asCluster(hosts: readonly Host[], options: Loose): Target {
  const shown = `redis+cluster://${hosts.map((one) => `${one.name}:${one.port}`).join(',')}`;
  return { ...fromOptions({ ...options, sentinels: undefined }), kind: 'cluster', hosts, shown };
}

interface NodeRedisOptions {
  readonly socket?: { host?: string; port?: number; path?: string; tls?: boolean };
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
  readonly url?: string;
  readonly credentialsProvider?: unknown;
}

// ioredis has its host beside its login; node-redis has a `socket`, or no `host` and no `path` at all.
function isNodeRedis(options: Loose): boolean {
  return 'socket' in options || !('host' in options || 'path' in options || 'retryStrategy' in options);
}

function fromNodeRedis(options: NodeRedisOptions): Target {
  if (options.credentialsProvider) throw unusable('credentialsProvider is not supported: give username and password');
  return fromOptions(asIoRedis(options));
}

function asIoRedis({ url, socket = {}, username, password, database }: NodeRedisOptions): Loose {
  const { host, port, path, tls, ...rest } = socket;
  const given = url ? fromUrl(url) : undefined;
  const [first] = given?.hosts ?? [];
  return {
    ...given?.node,
    ...(path ? { path } : { host: host ?? first?.name ?? 'localhost', port: port ?? first?.port ?? 6379 }),
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(database === undefined ? {} : { db: database }),
    ...(tls ? { tls: rest } : {}),
  } as Loose;
}

function fromNodeRedisCluster(options: Loose): Target {
  const { rootNodes, defaults = {} } = options as unknown as {
    rootNodes: NodeRedisOptions[];
    defaults?: NodeRedisOptions;
  };
  const nodes = rootNodes.map((node) =>
    asIoRedis({ ...defaults, ...node, socket: { ...defaults.socket, ...node.socket } }),
  );
  const hosts = nodes.map((node) => ({ name: node.host ?? 'localhost', port: Number(node.port ?? 6379) }));
  return asCluster(hosts, nodes[0] ?? {});
}

function unusable(why: string): ConfigurationError {
  return new ConfigurationError(
    `new Doshit({ redis }): ${why}. Give a URL, or a client of ioredis or node-redis; ${FORMS}`,
  );
}
