import { z } from 'zod';
import type { Path } from './problem.ts';

// Zod tells what is wrong, but not what would have been allowed, nor which defaults it would fill in: that is read off the schema itself.

type Schema = z.core.$ZodType;

/** The schema without what only adds a default or a transformation: what the file's text must look like. */
function bare(schema: Schema): Schema {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'nonoptional':
      return bare(def.innerType);
    case 'pipe':
      return bare(def.in);
    default:
      return schema;
  }
}

function definitionOf(schema: Schema): z.core.$ZodTypes['_zod']['def'] {
  return (bare(schema) as z.core.$ZodTypes)._zod.def;
}

/** The schema of a member of an object, record or array; undefined when there can be none of that name. */
function childOf(schema: Schema, key: string | number): Schema | undefined {
  const definition = definitionOf(schema);
  if (definition.type === 'object') return Object.hasOwn(definition.shape, key) ? definition.shape[key] : undefined;
  if (definition.type === 'record') return definition.valueType;
  if (definition.type === 'array') return definition.element;
  if (definition.type === 'union') return definition.options.map((option) => childOf(option, key)).find((child) => child !== undefined);
  return undefined;
}

function schemaAt(schema: Schema, path: Path): Schema | undefined {
  return path.reduce<Schema | undefined>((current, key) => current && childOf(current, key), schema);
}

/** Keys that may stand at `path`. */
export function allowedKeys(schema: Schema, path: Path): string[] {
  const here = schemaAt(schema, path);
  if (!here) return [];
  const definition = definitionOf(here);
  if (definition.type === 'union') return definition.options.flatMap((option) => allowedKeys(option, []));
  return definition.type === 'object' ? Object.keys(definition.shape) : [];
}

/** What kind of value (`path`, `secret`, `address`) core/config-fields says it is. */
export function kindAt(schema: Schema, path: Path): string | undefined {
  const here = schemaAt(schema, path);
  return here && (z.globalRegistry.get(bare(here))?.['kind'] as string | undefined);
}

/** A copy of `value` with every value for which the schema has a kind of its own replaced by `change(kind, value)`. */
export function mapKinds(schema: Schema, value: unknown, change: (kind: string, value: string) => string): unknown {
  const kind = z.globalRegistry.get(bare(schema))?.['kind'] as string | undefined;
  if (typeof value === 'string') return kind === undefined ? value : change(kind, value);
  return mapMembers(value, (member, key) => {
    const child = childOf(schema, key);
    return child ? mapKinds(child, member, change) : member;
  });
}

/** A copy of `value`, in the notation of the file, with all defaults written out. */
export function withDefaults(schema: Schema, value: unknown): unknown {
  const filled = value === undefined ? defaultOf(schema) : value;
  const definition = definitionOf(schema);
  if (definition.type !== 'object' || !isObject(filled)) {
    return mapMembers(filled, (member, key) => {
      const child = childOf(schema, key);
      return child ? withDefaults(child, member) : member;
    });
  }
  const entries = Object.entries(definition.shape).map(([key, child]) => [key, withDefaults(child, filled[key])] as const);
  return Object.fromEntries(entries.filter(([, member]) => member !== undefined));
}

function defaultOf(schema: Schema): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'default' || def.type === 'prefault') return def.defaultValue;
  return def.type === 'pipe' ? defaultOf(def.in) : undefined;
}

function mapMembers(value: unknown, change: (member: unknown, key: string | number) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, change(member, key)]));
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
