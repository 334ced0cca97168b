/** The only place that spells a key. */

import { checkPrefix } from './names.js';

/** The keys of one application prefix, as protocol/tables/keys.json lists them. */
export class Keys {
  readonly prefix: string;
  readonly app: string;
  readonly protocol: string;
  readonly workers: string;
  readonly queues: string;
  readonly results: string;
  readonly cmd: string;
  readonly cancel: string;
  readonly cutoffs: string;
  readonly duties: string;

  /** Throws ConfigurationError for a prefix that cannot begin a key. */
  constructor(prefix = 'doshit') {
    this.prefix = checkPrefix(prefix);
    const app = `${prefix}:`;
    this.app = app;
    this.protocol = `${app}protocol`;
    this.workers = `${app}workers`;
    this.queues = `${app}queues`;
    this.results = `${app}results`;
    this.cmd = `${app}cmd`;
    this.cancel = `${app}cancel`;
    this.cutoffs = `${app}cutoffs`;
    this.duties = `${app}duties`;
  }

  task(id: string): string {
    return `${this.app}task:${id}`;
  }

  pending(queue: string): string {
    return `${this.app}${queue}:pending`;
  }

  /** What waits have brought for the claims behind them. */
  arrived(queue: string): string {
    return `${this.app}${queue}:arrived`;
  }

  executing(queue: string): string {
    return `${this.app}${queue}:executing`;
  }

  scheduled(queue: string): string {
    return `${this.app}${queue}:scheduled`;
  }

  failed(queue: string): string {
    return `${this.app}${queue}:failed`;
  }

  quarantine(queue: string): string {
    return `${this.app}${queue}:quarantine`;
  }

  worker(worker: string): string {
    return `${this.app}worker:${worker}`;
  }

  held(worker: string): string {
    return `${this.app}held:${worker}`;
  }

  stop(worker: string): string {
    return `${this.app}stop:${worker}`;
  }

  log(id: string): string {
    return `${this.app}log:${id}`;
  }

  catalog(sha: string): string {
    return `${this.app}catalog:${sha}`;
  }

  /** The channel on which one client hears of its own tasks (their `reply-to`). */
  reply(token: string): string {
    return `${this.app}reply:${token}`;
  }
}
