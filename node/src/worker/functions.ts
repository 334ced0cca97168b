/** The functions of a worker as their author writes them, checked and made ready to run. Runs none of them. */

import { BadTask, TaskCancelled, TimeLimitExceeded } from '../errors.js';
import { type Fault, faultOf } from '../values/schema.js';
import { sizeOf } from '../values/sizes.js';
import { isWellFormed } from '../values/text.js';
import { secondsOf } from '../values/times.js';
import type { Policy, Served } from './engine/executor.js';
import type { Task } from './task.js';

/** What runs a task: its arguments by name, and the run it is part of. What it returns is the result. */
// biome-ignore lint/suspicious/noExplicitAny: the parameters are what the author of the handler says they are
export type Handler<A = any, R = unknown> = (args: A, task: Task) => R | Promise<R>;

/** A schema of a library such as zod, valibot or arktype (standardschema.dev). */
export interface StandardSchema<T = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Outcome<T> | Promise<Outcome<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
    readonly jsonSchema?: JsonSchemas | undefined;
  };
}

type Outcome<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly Issue[]; readonly value?: unknown };

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

interface JsonSchemas {
  readonly input?: (options: { readonly target: string }) => unknown;
  readonly output?: (options: { readonly target: string }) => unknown;
}

/** A JSON Schema as a plain object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** An error class, or a function that says of an error whether it is worth another run. */
export type RetryOn =
  | (abstract new (
      ...args: never[]
    ) => Error)
  | readonly (abstract new (
      ...args: never[]
    ) => Error)[]
  | ((error: unknown) => boolean);

/** A handler with what holds for its runs. An option of one enqueue wins over it. */
// biome-ignore lint/suspicious/noExplicitAny: as for Handler
export interface FunctionOptions<A = any, R = unknown> {
  readonly handler: Handler<A, R>;
  /** Checks the arguments: a schema of a Standard Schema library, whose output the handler gets, or a JSON Schema. */
  readonly schema?: StandardSchema<A> | JsonSchema | undefined;
  /** What it returns, for the catalog; nothing is checked by it. */
  readonly returns?: StandardSchema | JsonSchema | undefined;
  /** Seconds that one run may take. */
  readonly timeLimit?: number | undefined;
  /** Bytes that one run may add, or text such as "200MB"; only with a process of its own. */
  readonly memoryLimit?: number | string | undefined;
  /** How often a task is run again after a failed run (0). */
  readonly retries?: number | undefined;
  /** Seconds before the first of these runs (1). */
  readonly retryDelay?: number | undefined;
  /** The factor from one such wait to the next (2). */
  readonly retryBackoff?: number | undefined;
  /** Only these errors are worth another run. */
  readonly retryOn?: RetryOn | undefined;
  /** Each run in a process of its own, which can be killed. Only `npx doshit worker` has processes. */
  readonly isolate?: boolean | undefined;
  /** What it does, for the catalog. */
  readonly doc?: string | undefined;
}

/** Functions by name. */
export type Functions = Readonly<Record<string, Handler | FunctionOptions>>;

/** The arguments that a handler gets, or what is wrong with them. */
export type Checked = { readonly args: unknown } | { readonly fault: string };

/** A function that is ready to run. */
export interface Ready extends Served {
  readonly name: string;
  readonly handler: Handler;
  /** undefined: it takes whatever comes. */
  readonly check: ((args: unknown) => Checked | Promise<Checked>) | undefined;
  /** Is an error worth another run? */
  readonly wantsRetry: (error: unknown) => boolean;
}

const OPTIONS: ReadonlySet<string> = new Set([
  ...['handler', 'schema', 'returns', 'timeLimit', 'memoryLimit', 'retries', 'retryDelay', 'retryBackoff'],
  ...['retryOn', 'isolate', 'doc'],
]);

/** The functions, ready to run. Throws BadTask, naming one. */
export function functionsOf(given: Functions): Map<string, Ready> {
  if (typeof given !== 'object' || given === null) throw new BadTask('functions: give an object, { name: handler }');
  const ready = new Map(Object.entries(given).map(([name, one]) => [name, readyOf(name, one)]));
  if (ready.size === 0) throw new BadTask('functions: there is none; give at least one, { name: handler }');
  return ready;
}

function readyOf(name: string, given: Handler | FunctionOptions): Ready {
  const options = typeof given === 'function' ? { handler: given } : given;
  const refuse = (why: string): never => {
    throw new BadTask(`function ${JSON.stringify(name)}: ${why}`);
  };
  if (!name || Buffer.byteLength(name) > 255 || !isWellFormed(name)) refuse('a name has 1 to 255 bytes of UTF-8');
  if (typeof options !== 'object' || typeof options?.handler !== 'function') {
    refuse('give a function, or an object with a function as `handler`');
  }
  const odd = Object.keys(options).find((option) => !OPTIONS.has(option));
  if (odd !== undefined) refuse(`option '${odd}': there is no such option; options are ${[...OPTIONS].join(', ')}`);
  try {
    const wantsRetry = retryTest(options.retryOn);
    const policy = policyOf(options, wantsRetry);
    const check = checkOf(options.schema);
    const catalog = catalogOf(options);
    return { name, handler: options.handler, policy, catalog, untold: untoldBy(options.schema), wantsRetry, check };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function policyOf(options: FunctionOptions, wantsRetry: (error: unknown) => boolean): Policy {
  const { timeLimit, memoryLimit, retries, retryDelay, retryBackoff, isolate } = options;
  const codes = [
    ['time-limit', new TimeLimitExceeded('')],
    ['memory-limit', new RangeError('')],
    ['exited', new Error('')],
  ] as const;
  return {
    timeLimit: within('timeLimit', timeLimit, (limit) => secondsOf(limit) >= 0.001),
    memoryLimit: memoryLimit === undefined ? undefined : within('memoryLimit', sizeOf(memoryLimit), (size) => size > 0),
    retries: within('retries', retries, (count) => Number.isInteger(count) && count >= 0 && count < 1e9),
    retryDelay: within('retryDelay', retryDelay, (delay) => secondsOf(delay) >= 0),
    retryBackoff: within('retryBackoff', retryBackoff, (factor) => factor >= 1 && factor <= 1000),
    retryCodes: codes.filter(([, error]) => wantsRetry(error)).map(([code]) => code),
    isolate,
  };
}

function within(name: string, value: number | undefined, fits: (value: number) => boolean): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !fits(value)) throw new RangeError(`option '${name}': ${value} will not do`);
  return value;
}

function retryTest(retryOn: RetryOn | undefined): (error: unknown) => boolean {
  const wants = retryOn === undefined ? () => true : wantedBy(retryOn);
  return (error) => !(error instanceof TaskCancelled) && wants(error);
}

function wantedBy(retryOn: RetryOn): (error: unknown) => boolean {
  const kinds = Array.isArray(retryOn) ? retryOn : [retryOn];
  if (!kinds.every((kind) => typeof kind === 'function')) throw new Error("option 'retryOn': give error classes");
  if (!Array.isArray(retryOn) && !isErrorClass(retryOn)) return quietly(retryOn as (error: unknown) => boolean);
  return (error) => kinds.some((kind) => error instanceof kind);
}

const isErrorClass = (kind: unknown): boolean =>
  typeof kind === 'function' && (kind === Error || kind.prototype instanceof Error);

// It is the user's: what it throws is no reason to lose the end of a run.
function quietly(test: (error: unknown) => boolean): (error: unknown) => boolean {
  return (error) => {
    try {
      return Boolean(test(error));
    } catch {
      return false;
    }
  };
}

function isStandard(schema: StandardSchema | JsonSchema): schema is StandardSchema {
  return typeof (schema as StandardSchema)['~standard']?.validate === 'function';
}

function checkOf(schema: FunctionOptions['schema']): Ready['check'] {
  if (schema === undefined) return undefined;
  // Some libraries' schemas are functions.
  if (schema === null || !['object', 'function'].includes(typeof schema)) throw new Error("option 'schema': no schema");
  if (!isStandard(schema)) return (args) => judged(faultOf(schema, args), args);
  const { validate } = schema['~standard'];
  return (args) => {
    const outcome = validate(args);
    return outcome instanceof Promise ? outcome.then(checked) : checked(outcome);
  };
}

function judged(fault: Fault | undefined, args: unknown): Checked {
  return fault === undefined ? { args } : { fault: `args${fault.path}: ${fault.reason}` };
}

function checked(outcome: Outcome<unknown>): Checked {
  const [first] = outcome.issues ?? [];
  if (first === undefined) return { args: outcome.value };
  const steps = (first.path ?? []).map((step) => (typeof step === 'object' ? step.key : step));
  const path = steps.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('');
  return { fault: `args${path}: ${first.message}` };
}

/** The function for a catalog, JSON as the protocol has it. */
function catalogOf({ schema, returns, doc }: FunctionOptions): string {
  const parameters = { type: 'object', ...jsonSchemaOf(schema, 'input') };
  return JSON.stringify({
    defaults: defaultsIn(parameters),
    doc: doc ?? '',
    language: 'node',
    parameters,
    queue: '', // whichever its worker serves
    returns: jsonSchemaOf(returns, 'output') ?? {},
    version: 1,
  });
}

// undefined: a schema that JSON Schema cannot say, or whose library does not; the worker still checks by it.
function jsonSchemaOf(
  schema: StandardSchema | JsonSchema | undefined,
  side: 'input' | 'output',
): JsonSchema | undefined {
  if (schema === undefined) return {};
  if (!isStandard(schema)) return schema;
  try {
    const told = schema['~standard'].jsonSchema?.[side]?.({ target: 'draft-2020-12' });
    return typeof told === 'object' && told !== null ? (told as JsonSchema) : undefined;
  } catch {
    return undefined;
  }
}

function untoldBy(schema: FunctionOptions['schema']): string | undefined {
  return jsonSchemaOf(schema, 'input') === undefined ? (schema as StandardSchema)['~standard'].vendor : undefined;
}

function defaultsIn({ properties }: JsonSchema): Record<string, unknown> {
  if (typeof properties !== 'object' || properties === null) return {};
  const found = Object.entries(properties).filter(
    ([, one]) => typeof one === 'object' && one !== null && 'default' in one,
  );
  return Object.fromEntries(found.map(([name, one]) => [name, one.default]));
}
