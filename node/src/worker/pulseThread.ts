/** The thread that beats for a worker whose event loop also runs the user's code. Touches no task. */

import { parentPort, workerData } from 'node:worker_threads';
import { Transport } from '../transport/index.js';
import { Keys } from '../values/keys.js';
import { PulseHere } from './engine/pulse.js';
import { Session } from './engine/session.js';
import { monotonicSeconds, type Order, type ThreadData } from './pulseOrders.js';

const { redis, prefix, patience, signs } = workerData as ThreadData;
const keys = new Keys(prefix);
const session = new Session(new Transport(redis, { prefix, name: 'doshit-worker', forever: true }), () => {});

const isAlive = (): boolean => monotonicSeconds() - Atomics.load(signs, 0) < patience;

const pulse = new PulseHere(session, keys, (beat, worker) => parentPort!.postMessage({ beat, worker }), isAlive);
parentPort!.on('message', (order: Order) => ('begin' in order ? pulse.begin(order.begin) : pulse.now()));
