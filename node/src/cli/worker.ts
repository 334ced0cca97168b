/** The command `doshit worker`: starts the processes and the engine, and stops them by signals. Runs no task itself. */

import { availableParallelism } from 'node:os';
import { Client } from '../client/index.js';
import { redact, Transport } from '../transport/index.js';
import { Engine } from '../worker/engine/engine.js';
import type { Log } from '../worker/engine/log.js';
import { Host } from '../worker/host/host.js';
import { Isolated } from '../worker/isolated/isolated.js';
import { Processes } from '../worker/processes.js';
import { DEFAULTS, type Settings } from '../worker/settings.js';
import { checkTargets } from '../worker/target.js';
import type { Setup } from '../worker/wire.js';
import { makeLog } from './logs.js';
import type { WorkerCommand } from './parser.js';

/**
 * Serves until a signal, or until the queues are empty with burst. 0: stopped in order; 1: it had to give up.
 *
 * Throws ConfigurationError for a target, a name or a URL that cannot be used, ServerError when Redis is not there or
 * will not do: before anything was fetched.
 */
export async function run(command: WorkerCommand): Promise<number> {
  const log = makeLog(command.logFormat, command.verbose);
  const { redis, keys, queue } = new Client({ redis: command.redis, prefix: command.prefix });
  checkTargets(command.targets);
  const settings = settingsOf(command, queue);
  const executor = executorOf(command, log);
  try {
    await executor.open();
    await checkServer(redis, keys.prefix);
    const engine = new Engine({ redis, keys, settings, executor, log });
    return await serve(engine, settings, log, () => {
      const where = typeof redis === 'string' ? redact(redis) : 'its server';
      const functions = [...executor.functions.keys()].sort().join(', ');
      const runs = `${settings.concurrency} runs at once`;
      log('info', `worker ${engine.id} serves ${settings.queues.join(', ')} on ${where} with ${runs} (${functions})`);
    });
  } finally {
    await executor.stop();
  }
}

/** started: is told when it serves. */
async function serve(engine: Engine, settings: Settings, log: Log, started: () => void): Promise<number> {
  let signals = 0;
  const stop = (signal: NodeJS.Signals) => {
    signals += 1;
    const what = signals > 1 ? 'handing back now' : `runs get ${settings.grace} s to end`;
    log('info', `${signal}: stopping; ${what}`);
    void engine.stop(signals > 1 ? 0 : settings.grace);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  await engine.start();
  if (signals === 0) started();
  await engine.stopped;
  return engine.broken ? 1 : 0;
}

// A worker that serves waits for a server that is away; one that starts says that it is not there.
async function checkServer(redis: Client['redis'], prefix: string): Promise<void> {
  const transport = new Transport(redis, { prefix });
  try {
    await transport.check(prefix);
  } finally {
    await transport.close();
  }
}

function settingsOf(command: WorkerCommand, appQueue: string): Settings {
  const { queues, timeLimit, memoryLimit, concurrency, resultTtl, unknownGrace, grace, burst } = command;
  const { outputCap, argsCap, resultCap, reasonCap, tracebackCap } = command;
  return {
    ...DEFAULTS,
    queues: queues.length > 0 ? queues : [appQueue],
    ...{ concurrency, resultTtl, unknownGrace, grace, burst },
    ...{ timeLimitCap: timeLimit, memoryLimitCap: memoryLimit },
    ...{ outputCap, argsCap, resultCap, reasonCap, tracebackCap },
  };
}

function executorOf(command: WorkerCommand, log: Log): Processes {
  const { targets, concurrency, outputCap, resultCap, reasonCap, tracebackCap, recycleRuns, memoryLimit } = command;
  const setup: Setup = { targets, slots: concurrency, isAlone: false, outputCap, resultCap, reasonCap, tracebackCap };
  const size = command.isolated ?? availableParallelism();
  const alone = new Isolated({ ...setup, slots: 1, isAlone: true }, { size, recycleRuns }, log);
  return new Processes(new Host(setup, log), alone, memoryLimit !== undefined);
}
