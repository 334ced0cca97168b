/**
 * A thread beside the handlers. Ends the process with its parent, takes back what has not begun, and knows whose code
 * keeps the event loop busy.
 *
 * All of it must work while that code sits in a loop. So it looks from outside: by the inspector, which stops the main
 * thread wherever it is in JavaScript, for as long as it takes to ask it.
 */

import { writeSync } from 'node:fs';
import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { killBelow, MARK } from '../process.js';
import { SIGN, takeBack } from './gate.js';

/** The descriptor of the line between parent and watchdog. */
export const WATCH_FD = 4;
/** What the main thread answers for the run whose code it is in: its number, or 0. */
export const ASKED_AS = 'doshit.current';

/** Whose code it is. number: of a run, 0: unknown; where: file and line. */
export interface Who {
  readonly isBusy: boolean;
  readonly number: number;
  readonly where: string;
}

/** What it answers, as one line of JSON: to `who`, or to `back N` with the number of jobs up to N that have begun. */
export interface Answer {
  readonly who?: Who;
  readonly begun?: number;
}

/** signs: as gate.ts says. */
export interface WatchData {
  readonly signs: Int32Array;
}

const IDLE_WITHIN = 50; // ms in which an event loop that is not busy has answered
const PAUSE_WITHIN = 800; // ms in which code in a loop can be stopped; native code cannot

if (parentPort !== null) watch((workerData as WatchData).signs);

function watch(signs: Int32Array): void {
  const line = new Socket({ fd: WATCH_FD, readable: true, writable: true });
  line.on('error', die).on('close', die).on('end', die);
  let text = '';
  line.setEncoding('utf8').on('data', (more: string) => {
    const asked = (text + more).split('\n');
    text = asked.pop()!;
    for (const question of asked) hear(question, signs);
  });
}

function hear(question: string, signs: Int32Array): void {
  const [word, last] = question.split(' ');
  if (word === 'back') answer({ begun: takeBack(signs, Number(last)) });
  else findBusy(signs);
}

function findBusy(signs: Int32Array): void {
  const before = Atomics.load(signs, SIGN.ANSWERS);
  parentPort!.postMessage('?');
  setTimeout(() => {
    if (Atomics.load(signs, SIGN.ANSWERS) !== before) answer({ who: { isBusy: false, number: 0, where: '' } });
    else look(Atomics.load(signs, SIGN.ENTERED));
  }, IDLE_WITHIN);
}

// The parent has gone: nobody hears what still runs here, and others will have the tasks.
function die(): void {
  killBelow(process.pid, process.env[MARK] ?? '');
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
}

function answer(told: Answer): void {
  writeSync(WATCH_FD, `${JSON.stringify(told)}\n`);
}

interface Paused {
  readonly params: {
    readonly callFrames: readonly {
      readonly location: { readonly scriptId: string; readonly lineNumber: number };
    }[];
  };
}

interface Parsed {
  readonly params: { readonly scriptId: string; readonly url: string };
}

// The process is killed after this, so the session is never closed.
function look(last: number): void {
  const session = new Session();
  const timer = setTimeout(() => answer({ who: { isBusy: true, number: last, where: '' } }), PAUSE_WITHIN);
  // Not every Node tells the file with the frame.
  const files = new Map<string, string>();
  session.on('Debugger.scriptParsed', (parsed) => {
    const { scriptId, url } = (parsed as unknown as Parsed).params;
    files.set(scriptId, url);
  });
  session.on('Debugger.paused', (paused) => {
    const where = placeIn(paused as unknown as Paused, files);
    const expression = `globalThis[Symbol.for('${ASKED_AS}')]()`;
    session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, told) => {
      clearTimeout(timer);
      const number = Number(error === null ? told.result.value : 0);
      answer({ who: { isBusy: true, number: number || last, where } });
      session.post('Debugger.resume');
    });
  });
  session.connectToMainThread();
  session.post('Debugger.enable', () => session.post('Debugger.pause'));
}

function placeIn({ params }: Paused, files: ReadonlyMap<string, string>): string {
  for (const { location } of params.callFrames) {
    const file = files.get(location.scriptId) ?? '';
    if (/^(file:|\/)/.test(file) && !file.includes('/node:')) {
      return `${file.replace(/^file:\/\//, '')}:${location.lineNumber + 1}`;
    }
  }
  return '';
}
