/**
 * The functions of tasks.py and of ../worker/tasks.py that rows ask for, in Node. Each writes its runs into the same
 * ledger, by the same clock.
 */

import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const HELD_AT_MOST = 120;

const now = () => Number(process.hrtime.bigint()) / 1e9;

/** One write, so that processes do not mix their lines. The id of this task. */
function write(ledger, word, { id }) {
  appendFileSync(ledger, `${word} ${id} ${process.pid} ${now().toFixed(6)}\n`);
  return id;
}

/** A function that the ledger hears of: its begin and, if the run comes so far, its end. */
const onRecord = (body) => (args, task) => {
  write(args.ledger, 'begin', task);
  const value = body(args, task);
  const end = () => write(args.ledger, 'end', task);
  return value instanceof Promise ? value.then(end) : end();
};

const pause = (seconds, { signal }) => sleep(seconds * 1000, undefined, { signal });

/** What most tasks are. One that takes no time does not wait for its turn either. */
const work = onRecord(({ seconds = 0 }, task) => (seconds > 0 ? pause(seconds, task) : undefined));

const hold = onRecord(async ({ gate }, task) => {
  const deadline = now() + HELD_AT_MOST;
  while (!existsSync(gate) && now() < deadline) await pause(0.02, task);
});

const firstRunHolds = onRecord(async ({ gate }, task) => {
  const isFirst = !existsSync(gate);
  closeSync(openSync(gate, 'a'));
  await pause(isFirst ? HELD_AT_MOST : 0, task);
});

function raises({ ledger }, task) {
  write(ledger, 'begin', task);
  throw new RangeError('as it was asked to');
}

const ENDS = {
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  abort: () => process.abort(),
  'sys.exit': () => process.exit(3),
  'os._exit': () => process.reallyExit(0),
  SIGKILL: () => process.kill(process.pid, 'SIGKILL'),
};

/** Ends its process without a result. */
async function ends({ ledger, how }, task) {
  write(ledger, 'begin', task);
  ENDS[how]();
  await sleep(HELD_AT_MOST * 1000); // a signal comes when it comes
}

/** Kills the whole worker it runs in: its parent has all the others. */
async function poison({ ledger }, task) {
  write(ledger, 'begin', task);
  process.kill(process.ppid, 'SIGKILL');
  await sleep(HELD_AT_MOST * 1000);
}

/** Takes memory, and touches it, until it has `most` megabytes. Notes when it has passed each hundred. */
async function hog({ ledger, megabytes_a_second: rate, most }, task) {
  write(ledger, 'begin', task);
  const hoard = [];
  const begun = now();
  while (hoard.length < most) {
    hoard.push(Buffer.alloc(1 << 20, 'x'));
    if (hoard.length % 100 === 0) write(ledger, `has-${hoard.length}`, task);
    await sleep(Math.max(0, begun + hoard.length / rate - now()) * 1000);
  }
  await sleep(HELD_AT_MOST * 1000);
}

function spin(seconds) {
  const end = now() + seconds;
  while (now() < end);
}

/** No JavaScript runs meanwhile, not even the debugger's. */
function waitInC(seconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
}

function listenToNoSignal(seconds) {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => {});
  spin(seconds);
}

const DEAF = {
  'while True: pass': spin,
  'a C call with the GIL': waitInC,
  'a C call without the GIL': (seconds) => spawnSync('sleep', [String(seconds)]),
  'every signal masked': listenToNoSignal,
  'catches everything': (seconds) => sleep(seconds * 1000), // an order is no signal of the system: it looks away
};

/** Hears nothing for so long: see DEAF. */
const deaf = onRecord(({ how, seconds }) => DEAF[how](seconds));

/** Leaves a grandchild behind that has its own session, ignores TERM, and would live for minutes. */
const daemon = onRecord(async ({ ledger }, task) => {
  const line = `grandchild ${task.id} `;
  const lives = `trap '' TERM; echo "${line}$$ 0" >> '${ledger}'; exec sleep ${HELD_AT_MOST}`;
  spawn('sh', ['-c', 'sh -c "$0" &', lives], { detached: true, stdio: 'ignore' });
  while (!readFileSync(ledger, 'utf8').includes(line)) await pause(0.005, task);
});

/** Prints so much, by the file descriptor and by the console. */
const flood = onRecord(({ megabytes }) => {
  const page = Buffer.from('all work and no play'.repeat(50_000));
  for (let n = 0; n < megabytes; n += 1) for (let at = 0; at < page.length; ) at += writeOut(page, at);
  console.log('flood'.repeat(1000));
});

function writeOut(page, at) {
  try {
    return writeSync(1, page, at);
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error;
    return 0;
  }
}

// Of ../worker/tasks.py

const ADD = {
  type: 'object',
  properties: { a: { type: 'integer' }, b: { type: 'integer' } },
  required: ['a', 'b'],
  additionalProperties: false,
};

function count({ ledger, name }) {
  appendFileSync(ledger, `${name} ${process.pid}\n`);
  return process.pid;
}

async function countSlowly(args, task) {
  await pause(0.002, task);
  return count(args);
}

/** Says that it has begun, by a file, and runs until the file `open` is there. */
async function block({ gate, name }, task) {
  appendFileSync(`${gate}/${name}`, `${process.pid}\n`);
  const deadline = now() + HELD_AT_MOST;
  while (!existsSync(`${gate}/open`) && now() < deadline) await pause(0.002, task);
  return name;
}

function fail({ message }) {
  throw new RangeError(message);
}

export default {
  ...{ work, awork: work, hold, first_run_holds: firstRunHolds, raises, ends, poison, hog, deaf, flood },
  daemon: { handler: daemon, isolate: true }, // who shares a process keeps what it has started
  ...{ count, count_slowly: countSlowly, block, fail },
  add: { handler: ({ a, b }) => a + b, schema: ADD },
  echo: ({ text }) => text,
  pid: () => process.pid,
};
