import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';

/** The parts of JSON Schema that are read here; `kind` is of core/config-fields. */
interface Schema {
  readonly type?: string;
  readonly kind?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: string | number | boolean;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
}

const introduction = `# Configuration

One YAML file, \`holdfast.yaml\`, per node: the one that is named, that of \`HOLDFAST_CONFIG\`, \`./holdfast.yaml\`, or \`/etc/holdfast/holdfast.yaml\`.
\`holdfast config check\` judges it whole before anything starts, \`holdfast config show\` prints it with all defaults, \`holdfast config schema\` is its JSON Schema.

Durations are \`200ms\`, \`10s\`, \`5m\`, \`1h30m\`; sizes \`16MiB\`; rates \`100MiB/s\`; percentages \`99.95%\`; addresses \`HOST:PORT\`. A secret is a reference: \`\${NAME}\` of the
environment, or \`file:PATH\`. Relative paths count from the file's directory. Upper-case words in keys stand for names of your own.

This page is made from the schema (\`node tools/configuration-page.ts\`).
`;

export function configurationPage(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input' }) as Schema;
  const sections = Object.entries(schema.properties ?? {}).map(([key, member]) =>
    section(key, member, schema.required?.includes(key) ?? false),
  );
  return [introduction, ...sections].join('\n');
}

function section(key: string, schema: Schema, required: boolean): string {
  const rows = rowsOf(key, schema, required);
  return [`## ${key}\n`, '| key | value | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function rowsOf(path: string, schema: Schema, required: boolean): string[] {
  const own = `| \`${path}\` | ${valueOf(schema)} | ${defaultOf(schema, required)} | ${(schema.description ?? '').replaceAll('|', '\\|')} |`;
  return [own, ...membersOf(path, schema)];
}

function membersOf(path: string, schema: Schema): string[] {
  const named = Object.entries(schema.properties ?? {}).flatMap(([key, member]) =>
    rowsOf(`${path}.${key}`, member, schema.required?.includes(key) ?? false),
  );
  const any =
    typeof schema.additionalProperties === 'object' && isStructured(schema.additionalProperties)
      ? membersOf(`${path}.NAME`, schema.additionalProperties)
      : [];
  const items = schema.items && isStructured(schema.items) ? membersOf(`${path}[]`, schema.items) : [];
  return [...named, ...any, ...items];
}

function isStructured(schema: Schema): boolean {
  return schema.type === 'object' || schema.type === 'array';
}

function valueOf(schema: Schema): string {
  if (schema.kind) return schema.kind;
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.anyOf) return schema.anyOf.map(valueOf).join(' or ');
  if (schema.type === 'array') return `list of ${valueOf(schema.items ?? {})}`;
  if (schema.type === 'object')
    return schema.properties
      ? 'mapping'
      : `mapping of names${typeof schema.additionalProperties === 'object' ? ` to ${valueOf(schema.additionalProperties)}` : ''}`;
  if (schema.type === 'integer' || schema.type === 'number') return `number${rangeOf(schema)}`;
  return schema.type === 'boolean' ? '`true`, `false`' : 'text';
}

function rangeOf({ minimum, maximum }: Schema): string {
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (minimum !== undefined && most !== undefined) return `, ${minimum} to ${most}`;
  return minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? `, at least ${minimum}` : '';
}

function defaultOf(schema: Schema, required: boolean): string {
  if (required) return 'required';
  const { default: value } = schema;
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
    ? ''
    : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
