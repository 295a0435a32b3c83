import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Address, formatAddress } from '../../../core/address.ts';
import type { Clock } from '../../../core/clock.ts';
import { connectFailure, ZooKeeperFailure } from './failure.ts';

/** PEM texts, read already. */
export interface TlsMaterial {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface DialOptions {
  readonly clock: Clock;
  readonly tls: TlsMaterial | undefined;
  /** From the first packet to the end of the TLS handshake. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** The IP address to connect to, when it is known already; the server is still expected to be the named host. */
  readonly ip?: string;
}

/** A connected socket; the caller owns it. @throws ZooKeeperFailure `away`, `denied`; the signal's reason */
export async function dial(address: Address, { clock, tls, limitMs, signal, ip }: DialOptions): Promise<Socket> {
  signal.throwIfAborted();
  const socket = tls === undefined ? connectTcp({ host: ip ?? address.host, port: address.port }) : openTls(address, tls, ip);
  socket.setNoDelay(true);
  using _limit = clock.after(limitMs, () =>
    socket.destroy(new ZooKeeperFailure('away', `${formatAddress(address)}: no connection within ${Math.round(limitMs)} ms`)),
  );
  try {
    await once(socket, tls === undefined ? 'connect' : 'secureConnect', { signal });
    return socket;
  } catch (error) {
    socket.on('error', () => {}).destroy();
    signal.throwIfAborted();
    throw connectFailure(address, error);
  }
}

function openTls({ host, port }: Address, { ca, cert, key }: TlsMaterial, ip: string | undefined): Socket {
  // A server name that is an IP address is not allowed in the TLS extension (RFC 6066); the certificate is checked against it all the same.
  const options = {
    host: ip ?? host,
    port,
    servername: isIP(host) ? '' : host,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  try {
    return connectTls(options);
  } catch (error) {
    throw new ZooKeeperFailure('denied', `the TLS files can not be used: ${(error as Error).message}`, {
      hint: 'Check tls.ca, tls.cert and tls.key: PEM files, the key without passphrase and belonging to the certificate.',
      cause: error,
    });
  }
}
