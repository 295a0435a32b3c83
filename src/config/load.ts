import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';
import { inspectCertificates } from './certificates.ts';
import { checkLocations, crossCheck } from './cross-checks.ts';
import { readDocument } from './document.ts';
import { explain } from './explain.ts';
import type { ConfigDocument } from './document.ts';
import type { Finding } from './problem.ts';
import { ConfigError } from './problem.ts';
import type { CopiesConfig, HoldfastConfig } from './schema.ts';
import { configSchema, locationsSchema } from './schema.ts';
import { readTextFile } from './read-file.ts';
import { mapKinds } from './schema-walk.ts';
import type { Environment } from './secrets.ts';
import { judgeTokens, resolveSecrets } from './secrets.ts';

const fileBytesMax = 1024 * 1024;

/** Where a configuration is looked for when nobody names one. */
const usualFiles = ['holdfast.yaml', '/etc/holdfast/holdfast.yaml'] as const;

export interface LoadOptions {
  readonly clock: Clock;
  readonly environment?: Environment;
  /** Whether a certificate that has run out is a mistake too. An agent starts with one: its database needs it. Default false. */
  readonly strict?: boolean;
}

/**
 * Reads and judges a whole configuration: the text, what its parts mean together, secrets and certificates. All that is wrong is told at
 * once, with its line.
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID (a ConfigError)
 */
export function loadConfig(file: string, { clock, environment = process.env, strict = false }: LoadOptions): HoldfastConfig {
  const { config, document, findings } = parseFile(file);
  const unreadable = resolveSecrets(config, environment, dirname(resolve(file)));
  requireNone(file, document, [...findings, ...unreadable, ...judgeTokens(config), ...certificateFindings(config, clock, strict)]);
  return config;
}

/**
 * Reads and judges the text alone: no environment, secret or certificate is looked at. For a file that is meant for another machine.
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function checkText(file: string): { readonly config: HoldfastConfig; readonly written: unknown } {
  const { config, document, findings } = parseFile(file);
  requireNone(file, document, findings);
  return { config, written: document.value };
}

/**
 * Reads how to reach the coordination store, for commands that need no more: the whole text is judged, but no certificate is looked at, and
 * only this part's secrets are read. A user who may not read the node's key can use it.
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function loadCoordination(file: string, environment: Environment = process.env): HoldfastConfig['coordination'] {
  const { config, document, findings } = parseFile(file);
  const unreadable = resolveSecrets({ coordination: config.coordination }, environment, dirname(resolve(file)));
  requireNone(file, document, [...findings, ...unreadable]);
  return config.coordination;
}

/**
 * Reads where copies live, for commands on a machine that has nothing but this file: no certificate is looked at, and only the locations' secrets
 * are read. One in which nothing but `locations` stands is enough; any other is judged whole.
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function loadForCopies(file: string, environment: Environment = process.env): CopiesConfig {
  const { config, document, findings } = parseForCopies(file);
  const unreadable = resolveSecrets({ locations: config.locations }, environment, dirname(resolve(file)));
  requireNone(file, document, [...findings, ...unreadable]);
  return config;
}

/** The file to read: the one that was named, that of HOLDFAST_CONFIG, or the first usual one that exists. @throws CONFIG_UNREADABLE */
export function findConfig(named: string | undefined, environment: Environment = process.env): string {
  const wanted = named ?? environment['HOLDFAST_CONFIG'];
  if (wanted) return wanted;
  const found = usualFiles.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  if (found) return found;
  throw new HoldfastError('CONFIG_UNREADABLE', `there is neither ${usualFiles.join(' nor ')}`, {
    hint: 'Name the configuration file, or set HOLDFAST_CONFIG.',
  });
}

interface Parsed<Config> {
  readonly config: Config;
  readonly document: ConfigDocument;
  readonly findings: readonly Finding[];
}

function parseFile(file: string): Parsed<HoldfastConfig> {
  return parse(file, openDocument(file), configSchema, crossCheck);
}

function parseForCopies(file: string): Parsed<CopiesConfig> {
  const document = openDocument(file);
  if (Object.keys(document.value ?? {}).join() !== 'locations') return parse(file, document, configSchema, crossCheck);
  const { config, ...rest } = parse(file, document, locationsSchema, checkLocations);
  return { ...rest, config: { ...config, services: {} } };
}

function openDocument(file: string): ConfigDocument {
  const document = readDocument(readText(file));
  if (!('place' in document)) throw new ConfigError(file, document);
  return document;
}

function parse<Config>(
  file: string,
  document: ConfigDocument,
  schema: z.ZodType<Config>,
  check: (config: Config) => Iterable<Finding>,
): Parsed<Config> {
  const directory = dirname(resolve(file));
  const input = mapKinds(schema, document.value, (kind, value) => (kind === 'path' ? resolve(directory, value) : value));
  const { data, error } = schema.safeParse(input);
  if (error) {
    const findings = error.issues.flatMap((issue) => explain(issue, schema, document.value));
    throw new ConfigError(
      file,
      findings.map((finding) => document.place(finding)),
    );
  }
  return { config: data, document, findings: [...check(data)] };
}

/** @throws CONFIG_INVALID when there is any */
function requireNone(file: string, document: ConfigDocument, findings: readonly Finding[]): void {
  if (findings.length === 0) return;
  throw new ConfigError(
    file,
    findings.map((finding) => document.place(finding)),
  );
}

function readText(file: string): string {
  try {
    const { text, mode } = readTextFile(file, fileBytesMax);
    // It names programs that run as the agent.
    if ((mode & 0o002) !== 0) throw new Error(`everybody may change it: chmod o-w ${file}`);
    return text;
  } catch (error) {
    throw new HoldfastError('CONFIG_UNREADABLE', `${file} can not be used: ${messageOf(error)}`, {
      hint: 'Name a readable file that only its owner may change.',
      cause: error,
    });
  }
}

function certificateFindings({ security, node }: HoldfastConfig, clock: Clock, strict: boolean): readonly Finding[] {
  const { findings, untimely } = inspectCertificates(security, node.name, clock.wallMs());
  return [...findings, ...(strict ? untimely : [])].map((finding) => ({ ...finding, path: ['security', ...finding.path] }));
}
