/** Entry of a process that runs handlers, many at once or one. Speaks to its parent alone, and ends with it. */

import { DoshitError } from '../../errors.js';
import { takeStreams } from '../capture.js';
import type { Level } from '../engine/log.js';
import { Local } from '../local.js';
import { ImportFailed, load, NoTarget } from '../target.js';
import { type Broken, type Hello, KIND, type Setup } from '../wire.js';
import { Alone } from './alone.js';
import { catchErrors, startWatchdog, tellWhoLeaves } from './blame.js';
import { SIGN } from './gate.js';
import { Link } from './link.js';
import { Service } from './serve.js';
import { Tidy } from './tidy.js';

const link = new Link();
let service: Service | undefined;

link.listen(
  (kind, payload) => {
    if (kind === KIND.SETUP) void start(JSON.parse(payload.text()) as Setup);
    else service?.hear(kind, payload);
  },
  () => service?.begin(),
  () => process.exit(0),
);

const log = (level: Level, line: string): void =>
  link.say((packer) => packer.begin(KIND.LOG).text(level).text(line).end());

async function start(setup: Setup): Promise<void> {
  const signs = await startWatchdog();
  tellWhoLeaves(link);
  const tidy = setup.isAlone ? new Tidy() : undefined;
  try {
    const functions = await load(setup.targets);
    const local = new Local(functions, {
      ...setup,
      capture: true,
      onEnter: (job) => Atomics.store(signs, SIGN.ENTERED, job),
    });
    tidy?.imported();
    service = new Service(link, local, setup.outputCap, tidy && new Alone(signs, tidy));
    catchErrors(local, service, log);
    takeStreams(setup.outputCap > 0);
    const served = [...functions].map(([name, { policy, catalog, untold }]) => [name, { policy, catalog, untold }]);
    say(KIND.HELLO, { functions: Object.fromEntries(served) } satisfies Hello);
  } catch (error) {
    say(KIND.BROKEN, brokenBy(error));
    process.exit(1);
  }
}

function say(kind: number, value: Hello | Broken): void {
  link.say((packer) => packer.begin(kind).text(JSON.stringify(value)).end());
  link.flush();
}

function brokenBy(error: unknown): Broken {
  if (error instanceof ImportFailed) return { usage: false, text: error.text };
  if (error instanceof DoshitError) return { usage: error instanceof NoTarget, text: error.message };
  return { usage: false, text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
