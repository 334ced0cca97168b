/**
 * Judges a JSON value by a JSON Schema: the keywords that catalogs hold. Whatever else a schema says lets a value pass.
 *
 * So a value that is refused here is wrong, and one that passes may still be refused by whoever knows more. Patterns are
 * passed over: who wrote a catalog shall not choose how long this takes.
 */

import { isDeepStrictEqual } from 'node:util';

/** Where a value is not as its schema says, such as ".items[3]", and why. */
export interface Fault {
  readonly path: string;
  readonly reason: string;
}

type Schema = Readonly<Record<string, unknown>>;

// Steps that one value may cost, and how deep schemas may refer to each other: beyond it a value passes.
const STEPS = 100_000;
const DEEPEST = 200;

/** The first fault of a value, or undefined. A schema that is none passes everything. */
export function faultOf(schema: unknown, value: unknown): Fault | undefined {
  return new Judge(schema).judge(schema, value, '', 0);
}

class Judge {
  #steps = 0;

  constructor(private readonly root: unknown) {}

  judge(schema: unknown, value: unknown, path: string, depth: number): Fault | undefined {
    if (schema === false) return { path, reason: 'there is no such member' };
    if (!isObject(schema) || ++this.#steps > STEPS || depth > DEEPEST) return undefined;
    return (
      this.#referred(schema, value, path, depth) ??
      wrongType(schema, value, path) ??
      wrongValue(schema, value, path) ??
      this.#combined(schema, value, path, depth) ??
      (Array.isArray(value) ? this.#items(schema, value, path, depth) : undefined) ??
      (isObject(value) ? this.#members(schema, value, path, depth) : undefined)
    );
  }

  #referred({ $ref }: Schema, value: unknown, path: string, depth: number): Fault | undefined {
    if (typeof $ref !== 'string' || !$ref.startsWith('#')) return undefined;
    let found: unknown = this.root;
    for (const step of $ref.slice(1).split('/').slice(1)) {
      const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
      found = isObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
    }
    return this.judge(found, value, path, depth + 1);
  }

  #combined(schema: Schema, value: unknown, path: string, depth: number): Fault | undefined {
    for (const one of listOf(schema.allOf)) {
      const fault = this.judge(one, value, path, depth + 1);
      if (fault !== undefined) return fault;
    }
    return this.#oneOf(listOf(schema.anyOf ?? schema.oneOf), value, path, depth);
  }

  #oneOf(choices: readonly unknown[], value: unknown, path: string, depth: number): Fault | undefined {
    let nearest: Fault | undefined;
    for (const choice of choices) {
      const fault = this.judge(choice, value, path, depth + 1);
      if (fault === undefined) return undefined;
      // What fits further in is what was meant.
      if (nearest === undefined || fault.path.length > nearest.path.length) nearest = fault;
    }
    if (nearest?.path !== path || choices.length === 1) return nearest;
    const types = choices.flatMap((choice) => (isObject(choice) ? listOf(choice.type) : []));
    return types.length === choices.length ? mismatch(types, value, path) : nearest;
  }

  #items(schema: Schema, items: readonly unknown[], path: string, depth: number): Fault | undefined {
    const { minItems, maxItems } = schema;
    if (isBelow(items.length, minItems)) return { path, reason: `expected at least ${minItems} items` };
    if (isAbove(items.length, maxItems)) return { path, reason: `expected at most ${maxItems} items` };
    const first = listOf(schema.prefixItems);
    for (const [at, item] of items.entries()) {
      const fault = this.judge(at < first.length ? first[at] : schema.items, item, `${path}[${at}]`, depth + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #members(schema: Schema, value: Schema, path: string, depth: number): Fault | undefined {
    for (const name of listOf(schema.required)) {
      if (!Object.hasOwn(value, String(name))) return { path: `${path}.${name}`, reason: 'it is missing' };
    }
    const known = isObject(schema.properties) ? schema.properties : {};
    // A pattern that is passed over may be the one that allows a member.
    const others = schema.patternProperties === undefined ? schema.additionalProperties : undefined;
    for (const [name, part] of Object.entries(value)) {
      const one = Object.hasOwn(known, name) ? known[name] : others;
      const fault = this.judge(one, part, `${path}.${name}`, depth + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' || typeof value === 'bigint',
  integer: (value) => typeof value === 'bigint' || Number.isInteger(value),
  array: Array.isArray,
  object: isObject,
};

function wrongType({ type }: Schema, value: unknown, path: string): Fault | undefined {
  const types = listOf(type);
  if (types.length === 0 || types.some((one) => TYPES[String(one)]?.(value) ?? true)) return undefined;
  return mismatch(types, value, path);
}

function mismatch(types: readonly unknown[], value: unknown, path: string): Fault {
  const got = Object.keys(TYPES).find((name) => TYPES[name]!(value)) ?? typeof value;
  return { path, reason: `expected ${[...new Set(types)].join(' or ')}, got ${got}` };
}

function wrongValue(schema: Schema, value: unknown, path: string): Fault | undefined {
  const allowed = 'const' in schema ? [schema.const] : schema.enum;
  if (Array.isArray(allowed) && !allowed.some((one) => one === value || isDeepStrictEqual(one, value))) {
    return { path, reason: `expected ${allowed.length > 1 ? 'one of ' : ''}${JSON.stringify(allowed).slice(1, -1)}` };
  }
  if (typeof value === 'number') return outOfRange(schema, value, path);
  return typeof value === 'string' ? wrongLength(schema, value, path) : undefined;
}

function outOfRange(schema: Schema, value: number, path: string): Fault | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (isBelow(value, minimum)) return { path, reason: `expected at least ${minimum}` };
  if (isAbove(value, maximum)) return { path, reason: `expected at most ${maximum}` };
  if (value === exclusiveMinimum || isBelow(value, exclusiveMinimum)) {
    return { path, reason: `expected more than ${exclusiveMinimum}` };
  }
  if (value === exclusiveMaximum || isAbove(value, exclusiveMaximum)) {
    return { path, reason: `expected less than ${exclusiveMaximum}` };
  }
  return undefined;
}

function wrongLength({ minLength, maxLength }: Schema, value: string, path: string): Fault | undefined {
  if (minLength === undefined && maxLength === undefined) return undefined;
  const length = [...value].length;
  if (isBelow(length, minLength)) return { path, reason: `expected at least ${minLength} characters` };
  return isAbove(length, maxLength) ? { path, reason: `expected at most ${maxLength} characters` } : undefined;
}

const isBelow = (value: number, bound: unknown): boolean => typeof bound === 'number' && value < bound;
const isAbove = (value: number, bound: unknown): boolean => typeof bound === 'number' && value > bound;

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}
