/** Workers of a test's own, in its process. */

import { after } from 'node:test';
import { type Client, Client as Plain } from '../../src/client/index.js';
import type { Functions } from '../../src/worker/functions.js';
import type { Settings } from '../../src/worker/settings.js';
import { Worker, type WorkerOptions } from '../../src/worker/worker.js';
import { newPrefix, type Server } from '../helpers/server.js';

/** An app that checks nothing before it pushes, so that the worker has to. */
export function newApp(server: Server, redis = server.url): Client {
  const app = new Plain({ redis, prefix: newPrefix(), check: false });
  after(() => app.close());
  return app;
}

/** A worker that is stopped after the tests of its file, if it was not before. What it says goes into `said`. */
export async function work(
  app: Client,
  functions: Functions,
  options: WorkerOptions = {},
  settings: Partial<Settings> = {},
): Promise<Worker & { said: string[] }> {
  const worker = new Worker(app, functions, options, settings) as Worker & { said: string[] };
  worker.said = [];
  worker.on('log', (level, message) => worker.said.push(`${level}: ${message}`));
  after(() => worker.stop({ grace: 0 }));
  await worker.ready;
  return worker;
}

/** Something that is opened later. */
export class Gate {
  open!: () => void;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}
