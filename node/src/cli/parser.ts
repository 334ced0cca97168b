/** The options of the command line, and their help. The names are those of the Python command. Runs nothing. */

import { parseArgs } from 'node:util';
import { DoshitError } from '../errors.js';
import { checkPrefix, checkQueue } from '../values/names.js';
import { sizeOf } from '../values/sizes.js';
import { DEFAULTS } from '../worker/settings.js';

/** A command line that cannot be meant: exit code 2. */
export class UsageError extends DoshitError {
  override name = 'UsageError';
}

/** What `doshit worker` was told. Durations in seconds, sizes in bytes; undefined: nothing was said. */
export interface WorkerCommand {
  readonly targets: readonly string[];
  readonly queues: readonly string[];
  readonly redis: string | undefined;
  readonly prefix: string | undefined;
  readonly concurrency: number;
  /** Processes for runs that need one of their own; undefined: the number of CPUs. */
  readonly isolated: number | undefined;
  readonly recycleRuns: number | undefined;
  readonly burst: boolean;
  readonly resultTtl: number;
  readonly unknownGrace: number;
  readonly grace: number;
  readonly timeLimit: number | undefined;
  readonly memoryLimit: number | undefined;
  readonly outputCap: number;
  readonly argsCap: number;
  readonly resultCap: number;
  readonly reasonCap: number;
  readonly tracebackCap: number;
  readonly verbose: boolean;
  readonly logFormat: 'console' | 'json';
}

export const TOP = `usage: doshit worker FILE [FILE ...] [options]

Serves the functions of a file with a Node worker. Everything else (submit, show, status, cancel, doctor, ...) is in
the command of the Python package, which serves both languages: pip install doshit

  doshit worker tasks.js -q urgent -q bulk   a worker; \`urgent\` is served before \`bulk\`
  doshit worker --help                       all options
  doshit --version                           print the version
`;

export const WORKER = `usage: doshit worker FILE [FILE ...] [options]

Serves the functions that FILE exports: by name, or as members of its default export. Each is a handler
(args, task) => result, or { handler, schema, timeLimit, retries, isolate, ... }.

  -q, --queue NAME       a queue to serve; several are served in the order given (default: DOSHIT_QUEUE, else default)
  -c, --concurrency N    runs at once in the process that they share (default: 100)
  --isolated N           processes for runs that need one of their own (default: the number of CPUs)
  --burst                end once the queues are empty; what is due later stays
  --result-ttl S         seconds the result of a successful task is kept (default: 86400, one day)
  --unknown-grace S      seconds a task may wait for a worker that has its function (default: 30)
  -v, --verbose          log each task
  --log-format F         console: lines for a person (default), or json

limits of this worker; a SIZE is in bytes, or like 64KiB, 200MB. They win over what a task or its function asks for.
  --time-limit S         no run takes longer, whatever its task says (default: no cap)
  --memory-limit SIZE    no run adds more memory; each run then has a process of its own (default: no cap)
  --output-cap SIZE      what is kept of the output of a task; 0: nothing is captured (default: 64KiB)
  --args-cap SIZE        the largest arguments (default: 1MiB)
  --result-cap SIZE      the largest result (default: 1MiB)
  --reason-cap SIZE      of an error-reason (default: 4KiB)
  --traceback-cap SIZE   of a stack (default: 64KiB)
  --grace S              seconds that runs get to end when the worker stops (default: 8)
  --recycle-runs N       replace a process of isolated runs after so many (default: never)

which server and which app
  --redis URL            redis://, rediss:// or unix:// (default: DOSHIT_REDIS, else REDIS_URL, else
                         redis://localhost:6379/0)
  --prefix P             what all keys of the app begin with (default: DOSHIT_APP_PREFIX, else doshit)
`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const OPTIONS = {
  queue: { ...text, short: 'q', multiple: true },
  concurrency: { ...text, short: 'c' },
  ...{ isolated: text, burst: flag, 'result-ttl': text, 'unknown-grace': text, 'log-format': text },
  verbose: { ...flag, short: 'v' },
  ...{ 'time-limit': text, 'memory-limit': text, 'output-cap': text, 'args-cap': text, 'result-cap': text },
  ...{ 'reason-cap': text, 'traceback-cap': text, grace: text, 'recycle-runs': text, redis: text, prefix: text },
  help: { ...flag, short: 'h' },
} as const;

/** Reads the words behind `worker`. Throws UsageError, and ConfigurationError for names that cannot be. */
export function parseWorker(words: readonly string[]): WorkerCommand | 'help' {
  const { values, positionals } = read(words);
  if (values.help === true) return 'help';
  if (positionals.length === 0) throw new UsageError('name a file of functions: doshit worker tasks.js');
  const given = (name: keyof typeof values) => values[name] as string | undefined;
  const seconds = (name: keyof typeof values, least = 0) => number(name, given(name), least, false);
  const count = (name: keyof typeof values) => number(name, given(name), 1, true);
  const size = (name: keyof typeof values, least = 0) => bytes(name, given(name), least);
  return {
    targets: positionals,
    queues: [...new Set(values.queue ?? [])].map(checkQueue),
    redis: values.redis,
    prefix: values.prefix === undefined ? undefined : checkPrefix(values.prefix),
    concurrency: count('concurrency') ?? DEFAULTS.concurrency,
    isolated: count('isolated'),
    recycleRuns: count('recycle-runs'),
    burst: values.burst === true,
    resultTtl: count('result-ttl') ?? DEFAULTS.resultTtl,
    unknownGrace: seconds('unknown-grace') ?? DEFAULTS.unknownGrace,
    grace: seconds('grace') ?? DEFAULTS.grace,
    timeLimit: seconds('time-limit', 0.001),
    memoryLimit: size('memory-limit', 1),
    outputCap: size('output-cap') ?? DEFAULTS.outputCap,
    argsCap: size('args-cap') ?? DEFAULTS.argsCap,
    resultCap: size('result-cap') ?? DEFAULTS.resultCap,
    reasonCap: size('reason-cap') ?? DEFAULTS.reasonCap,
    tracebackCap: size('traceback-cap') ?? DEFAULTS.tracebackCap,
    verbose: values.verbose === true,
    logFormat: format(values['log-format']),
  };
}

function read(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0]!);
  }
}

function number(name: string, given: string | undefined, least: number, whole: boolean): number | undefined {
  if (given === undefined) return undefined;
  const value = /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
  if (value >= least && value < 1e9 && (!whole || Number.isInteger(value))) return value;
  throw new UsageError(`--${name}: '${given}' is no ${whole ? 'whole number' : 'number of seconds'}, ${least} or more`);
}

function bytes(name: string, given: string | undefined, least: number): number | undefined {
  if (given === undefined) return undefined;
  try {
    const size = sizeOf(given);
    if (size >= least) return size;
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`);
  }
  throw new UsageError(`--${name}: '${given}' is less than ${least} bytes`);
}

function format(given: string | undefined): 'console' | 'json' {
  if (given === undefined || given === 'console' || given === 'json') return given ?? 'console';
  throw new UsageError(`--log-format: '${given}' is neither console nor json`);
}
