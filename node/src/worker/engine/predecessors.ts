/** Finds workers of this host whose process is gone, when a worker starts: their tasks need not wait for the lease. */

import { seal } from '../../commands/index.js';
import type { Keys } from '../../values/keys.js';
import { textOf } from '../../values/text.js';
import { boot, isGone, pidNamespace } from './host.js';
import type { Log } from './log.js';
import type { Session } from './session.js';

const LOOKED_AT = 1000; // workers
const ABOUT = ['boot', 'pidns', 'pid', 'born'];

/** Looks once at the workers there are. Throws ServerError. */
export async function sealPredecessors(session: Session, keys: Keys, log: Log): Promise<void> {
  const here = [boot(), pidNamespace()];
  if (here.includes('')) return;
  const [workers] = await session.commands([['ZRANGEBYSCORE', keys.workers, '(-1', '+inf', 'LIMIT', 0, LOOKED_AT]]);
  const names = (workers as Buffer[]).map(textOf);
  const found = await session.commands(names.map((name) => ['HMGET', keys.worker(name), ...ABOUT]));
  const gone = names.filter((_, at) => isPredecessor((found[at] as (Buffer | null)[]).map(String), here));
  for (const name of gone) log('warning', `worker ${name} of this host is gone; its tasks are taken back now`);
  if (gone.length > 0) await session.call(seal(keys, gone));
}

/** A pid says something only within one boot of a kernel, and one pid namespace. */
function isPredecessor([kernel, namespace, pid = '', born = '']: readonly string[], here: readonly string[]): boolean {
  if (kernel !== here[0] || namespace !== here[1] || !/^\d{1,10}$/.test(pid)) return false;
  return born !== '' && born !== 'null' && isGone(Number(pid), born);
}
