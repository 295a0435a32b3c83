import { once } from 'node:events';
import type { Address } from '../../../core/address.ts';
import { formatAddress } from '../../../core/address.ts';
import { dial, type DialOptions } from './dial.ts';
import { connectFailure, silentHint, ZooKeeperFailure } from './failure.ts';

const closedHint = 'It may expect TLS, be starting or ending, or have its maxClientCnxns reached.';
const ANSWER_BYTES_MAX = 64 * 1024;

/** `unknown`: it answers, but may not say (four-letter words not allowed). `idle`: it runs, but has no quorum or does not serve clients. */
export type ServerRole = 'leader' | 'standalone' | 'follower' | 'observer' | 'read-only' | 'idle' | 'unknown';

export interface ServerReport {
  readonly address: Address;
  readonly role: ServerRole;
  /** Empty when it does not say. */
  readonly version: string;
}

/**
 * Asks one server what it is, with the word `srvr` on its client port (ZooKeeper Administrator's Guide, "The Four Letter Words": the only
 * one that is allowed without configuration).
 * @throws ZooKeeperFailure `away`, `denied`, `foreign`; the signal's reason
 */
export async function askServer(address: Address, options: DialOptions): Promise<ServerReport> {
  return { address, ...parseServerReport(await ask(address, 'srvr', options), address) };
}

/** One four-letter word and all of its answer. The server closes the connection after it. */
async function ask(address: Address, word: string, options: DialOptions): Promise<string> {
  const socket = await dial(address, options);
  using _limit = options.clock.after(options.limitMs, () =>
    socket.destroy(
      new ZooKeeperFailure('away', `${formatAddress(address)}: connected, but the server does not answer`, { hint: silentHint }),
    ),
  );
  let answer = '';
  try {
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (!beginnings.some((text) => text.startsWith(answer.slice(0, text.length)))) socket.destroy(notZooKeeper(address));
      if (answer.length > ANSWER_BYTES_MAX)
        socket.destroy(new ZooKeeperFailure('foreign', `${formatAddress(address)}: an answer without end`));
    });
    socket.write(word);
    await once(socket, 'end', { signal: options.signal });
    if (answer === '')
      throw new ZooKeeperFailure('away', `${formatAddress(address)}: the server closed the connection without an answer`, {
        hint: closedHint,
      });
    return answer;
  } catch (error) {
    options.signal.throwIfAborted();
    throw connectFailure(address, error);
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

const modes: Readonly<Record<string, ServerRole>> = {
  leader: 'leader',
  standalone: 'standalone',
  follower: 'follower',
  observer: 'observer',
  'read-only': 'read-only',
};

export function parseServerReport(answer: string, address: Address): { role: ServerRole; version: string } {
  if (/is not executed because it is not in the whitelist/.test(answer)) return { role: 'unknown', version: '' };
  if (/not currently serving requests/.test(answer)) return { role: 'idle', version: '' };
  if (!answer.startsWith('Zookeeper version: ')) throw notZooKeeper(address);
  // What follows the number is the builder's.
  const version = /^Zookeeper version: (\d+(?:\.\d+)+)/.exec(answer)?.[1] ?? '';
  return { role: modes[/^Mode: (\S+)/m.exec(answer)?.[1] ?? ''] ?? 'unknown', version };
}

/** What the answers to `srvr` begin with: others need not be waited for. */
const beginnings = ['Zookeeper version: ', 'This ZooKeeper instance is not', 'srvr is not executed'];

function notZooKeeper(address: Address): ZooKeeperFailure {
  return new ZooKeeperFailure('foreign', `${formatAddress(address)} does not speak ZooKeeper's protocol`, {
    hint: 'Give the clientPort of a ZooKeeper server (2181 by default), or with tls its secureClientPort.',
  });
}
