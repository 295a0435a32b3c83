import type { Command } from 'commander';
import { createClock } from '../../runtime/clock.ts';
import type { CommonOptions } from '../command.ts';
import { findRemote, type RemoteOptions } from './addresses.ts';
import { reach, type Reached } from './reach.ts';

/** Options of every command that asks agents. */
export interface RemoteCommandOptions extends CommonOptions, RemoteOptions {}

const help = `
Without --url or --demo the agents are those of the configuration: this node's, then its peers'. The first that answers is asked.
Commands that change something need a token: --token-file, or HOLDFAST_TOKEN_FILE, or the token itself in HOLDFAST_API_TOKEN.`;

export function addRemoteOptions(command: Command): void {
  command
    .option('-c, --config <file>', 'configuration (default: holdfast.yaml, /etc/holdfast/holdfast.yaml)')
    .option('--url <url>', 'an agent, https://HOST:PORT; may be repeated', (url: string, urls: readonly string[] | undefined) => [
      ...(urls ?? []),
      url,
    ])
    .option('--ca <file>', "the cluster's certificate authority (ca.pem)")
    .option('--token-file <file>', 'file with a token of security.tokens')
    .option('--demo <directory>', "the directory of a running 'holdfast demo'")
    .addHelpText('after', help);
}

/** The agent to ask. Whoever it was that did not answer is told on standard error. */
export async function reachAgent(options: RemoteCommandOptions, signal?: AbortSignal): Promise<Reached> {
  const reached = await reach(findRemote(options), createClock(), signal);
  if (reached.silent.length > 0 && options.json !== true) {
    process.stderr.write(`${reached.silent.map(({ url }) => url).join(', ')} did not answer; asked ${reached.client.url}\n`);
  }
  return reached;
}
