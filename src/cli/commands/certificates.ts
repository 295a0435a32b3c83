import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import type { CommonOptions } from '../command.ts';
import { printJson, printLine } from '../print.ts';

interface AuthorityOptions extends CommonOptions {
  readonly cluster: string;
  readonly out: string;
  readonly days?: number;
}

interface NodeOptions extends CommonOptions {
  readonly host: readonly string[];
  readonly ca?: string;
  readonly out: string;
  readonly days?: number;
}

const daysMax = 36_500;

export function register(command: Command): void {
  command
    .command('ca')
    .description('make the certificate authority of a cluster: ca.pem for every node, ca.key to be kept away from them')
    .requiredOption('--cluster <name>', 'name of the cluster')
    .option('--out <dir>', 'directory for the files', '.')
    .option('--days <days>', 'how long it is valid (default: ten years)', daysOf)
    .action(makeAuthority);
  command
    .command('node <name>')
    .description("make a node's certificate and key, signed by the authority")
    .option('--host <host>', 'name or IP address under which others reach the node; may be repeated', collectHosts, [])
    .option('--ca <dir>', 'directory of ca.pem and ca.key (default: that of --out)')
    .option('--out <dir>', 'directory for the files', '.')
    .option('--days <days>', 'how long it is valid (default: 760)', daysOf)
    .action(makeNode);
}

async function makeAuthority(options: AuthorityOptions): Promise<void> {
  await requireName(options.cluster);
  const { createAuthorityFiles } = await import('../../agent/certificates.ts');
  const { cluster, days } = options;
  const files = await createAuthorityFiles(resolve(options.out), { cluster, ...(days === undefined ? {} : { days }) });
  if (options.json === true) return printJson(files);
  printLine(`certificate  ${files.ca}   copy it to every node`);
  printLine(`key          ${files.key}   keep it off the nodes: whoever has it can make one`);
}

async function makeNode(node: string, options: NodeOptions): Promise<void> {
  await requireName(node);
  const { createNodeFiles } = await import('../../agent/certificates.ts');
  const { host: hosts, days, ca = options.out } = options;
  const request = { authorityDirectory: resolve(ca), node, hosts, ...(days === undefined ? {} : { days }) };
  const files = await createNodeFiles(resolve(options.out), request);
  if (options.json === true) return printJson(files);
  printLine(`certificate  ${files.cert}`);
  printLine(`key          ${files.key}`);
  printLine('\nIn holdfast.yaml of that node, with the paths as they are there:');
  printLine(`security: { ca: ${files.ca}, cert: ${files.cert}, key: ${files.key} }`);
}

/** What becomes part of keys and paths later is judged as the configuration will judge it. */
async function requireName(text: string): Promise<void> {
  const { name } = await import('../../core/config-fields.ts');
  const problem = name().safeParse(text).error?.issues[0]?.message;
  if (problem !== undefined)
    throw new HoldfastError('CLI_USAGE', `'${text.slice(0, 64)}' ${problem}`, { hint: 'Use the name that holdfast.yaml has.' });
}

function daysOf(text: string): number {
  const days = Number(text);
  if (/^\d{1,5}$/.test(text) && days >= 1 && days <= daysMax) return days;
  throw new InvalidArgumentError(`A whole number of days from 1 to ${daysMax}.`);
}

function collectHosts(host: string, hosts: readonly string[]): string[] {
  if (/^[A-Za-z0-9.:_-]{1,253}$/.test(host)) return [...hosts, host];
  throw new InvalidArgumentError('A host name or an IP address.');
}
