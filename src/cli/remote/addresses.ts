import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { checkText, findConfig } from '../../config/load.ts';
import { readPrivateFile } from '../../config/secrets.ts';
import { formatAddress, type Address } from '../../core/address.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';

/** How to reach a cluster, from the options that all commands for agents have. */
export interface RemoteOptions {
  readonly config?: string;
  readonly url?: readonly string[];
  readonly ca?: string;
  readonly tokenFile?: string;
  readonly demo?: string;
}

/** The agents of one cluster, the nearest first. */
export interface Remote {
  /** `https://host:port` */
  readonly urls: readonly string[];
  /** PEM; undefined: what this machine trusts. */
  readonly ca: string | undefined;
  readonly token: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds addresses, authority and token: of a demo, of the command line, or of the configuration.
 * @throws CLI_USAGE, CLI_DEMO_UNREADABLE, CLI_CA_UNREADABLE, CLI_TOKEN_UNREADABLE, CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function findRemote(options: RemoteOptions, environment: Environment = process.env): Remote {
  const named = ['demo', 'url', 'config'].filter((name) => options[name as 'demo' | 'url' | 'config'] !== undefined);
  if (named.length > 1) {
    throw new HoldfastError('CLI_USAGE', `--${named.join(' and --')} exclude each other`, { hint: 'Name the cluster in one way.' });
  }
  const found = findCluster(options, environment);
  return {
    urls: found.urls,
    ca: options.ca === undefined ? found.ca : readAuthority(options.ca),
    token: readToken(options, environment) ?? found.token,
  };
}

function findCluster({ demo, url, config }: RemoteOptions, environment: Environment): Remote {
  if (demo !== undefined) return ofDemo(demo);
  return url === undefined ? ofConfig(config, environment) : { urls: url, ca: undefined, token: undefined };
}

/** Needs neither the secrets nor the key that the configuration names: whoever may read the file may ask. */
function ofConfig(named: string | undefined, environment: Environment): Remote {
  const { config } = checkText(findConfig(named, environment));
  const addresses = [config.node.advertise ?? config.node.listen, ...config.peers];
  return { urls: addresses.map(urlOf), ca: config.security && readAuthority(config.security.ca), token: undefined };
}

export function urlOf(address: Address): string {
  return `https://${formatAddress(address)}`;
}

const demoSchema = z.object({ token: z.string(), ca: z.string(), members: z.array(z.object({ api: z.string() })).min(1) });

function ofDemo(directory: string): Remote {
  const file = `${directory}/demo.json`;
  try {
    const { token, ca, members } = demoSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return { urls: members.map((member) => member.api), ca: readAuthority(ca), token };
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const why = error instanceof z.ZodError ? 'it is not what a demo writes' : messageOf(error);
    throw new HoldfastError('CLI_DEMO_UNREADABLE', `${file} can not be used: ${why}`, {
      hint: "Name the --dir of a demo that runs: 'holdfast demo' prints it.",
      cause: error,
    });
  }
}

function readAuthority(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
    throw new Error('no certificate is in it');
  } catch (error) {
    throw new HoldfastError('CLI_CA_UNREADABLE', `the authority's certificate can not be used: ${file}: ${messageOf(error)}`, {
      hint: "Name the cluster's ca.pem with --ca.",
      cause: error,
    });
  }
}

function readToken({ tokenFile }: RemoteOptions, environment: Environment): string | undefined {
  const file = tokenFile ?? environment['HOLDFAST_TOKEN_FILE'];
  if (file === undefined || file === '') return environment['HOLDFAST_API_TOKEN'] || undefined;
  const text = readPrivateFile(file);
  if (typeof text === 'string') return text.trim();
  throw new HoldfastError('CLI_TOKEN_UNREADABLE', `the token can not be used: ${text.problem}`, {
    hint: 'Name a file that has the token alone and that only you may read.',
  });
}
