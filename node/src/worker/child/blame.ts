/** Finds the run whose code ends the process, or throws where nobody catches. Ends no run itself but through Local. */

import { Worker as Thread } from 'node:worker_threads';
import { currentRun } from '../capture.js';
import type { Job } from '../engine/executor.js';
import type { Level } from '../engine/log.js';
import type { Local } from '../local.js';
import { KIND } from '../wire.js';
import { newSigns, SIGN } from './gate.js';
import type { Link } from './link.js';
import type { Service } from './serve.js';
import { ASKED_AS, type WatchData } from './watchdog.js';

const jobNow = (): Job | undefined => currentRun()?.job as Job | undefined;

/** Starts the thread that ends this process with its parent. Settles when it is on its guard. */
export async function startWatchdog(): Promise<Int32Array> {
  const signs = newSigns();
  const workerData: WatchData = { signs };
  const thread = new Thread(new URL('./watchdog.js', import.meta.url), { workerData, execArgv: [] });
  await new Promise<void>((resolve) => thread.once('online', resolve));
  thread.on('message', () => Atomics.add(signs, SIGN.ANSWERS, 1)).on('error', () => process.exit(1));
  thread.unref();
  Object.defineProperty(globalThis, Symbol.for(ASKED_AS), { value: () => jobNow()?.number ?? 0 });
  return signs;
}

/** From now on the parent hears which run it was that ended the process. */
export function tellWhoLeaves(link: Link): void {
  const tell = (how: string) => {
    link.say((packer) =>
      packer
        .begin(KIND.LEAVING)
        .number(jobNow()?.number ?? 0)
        .text(how)
        .end(),
    );
    link.flush();
  };
  process.on('exit', (code) => tell(`it called process.exit(${code})`));
  const { abort } = process;
  process.abort = () => {
    tell('it called process.abort()');
    return abort.call(process);
  };
}

/** From now on what nobody catches ends the run that it came from, and no other; log hears what is nobody's. */
export function catchErrors(local: Local, service: Service, log: (level: Level, line: string) => void): void {
  const fell = (error: unknown) => {
    const job = jobNow() ?? service.only;
    if (job !== undefined && local.fell(job, error)) return;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log('error', `an error that nobody caught, of a run that is over or of none: ${stack}`);
  };
  process.on('uncaughtException', fell);
  process.on('unhandledRejection', fell);
}
