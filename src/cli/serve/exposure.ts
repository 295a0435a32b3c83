import { isIP } from 'node:net';
import { type Address, formatAddress, parseAddress } from '../../core/address.ts';
import { HoldfastError } from '../../core/errors.ts';

/** Where a server is to listen, and how it is protected there. */
export interface Exposure {
  readonly address: Address;
  readonly hasUsers: boolean;
  readonly hasTls: boolean;
  /** Told to do without. */
  readonly allowNoUsers: boolean;
  readonly allowNoTls: boolean;
}

/** Refuses to let strangers in, or passwords out, unless that was asked for. @throws SERVE_EXPOSED */
export function assertProtected({ address, hasUsers, hasTls, allowNoUsers, allowNoTls }: Exposure): void {
  if (isLoopback(address.host)) return;
  const where = formatAddress(address);
  if (!hasUsers && !allowNoUsers) {
    throw new HoldfastError('SERVE_EXPOSED', `on ${where} anybody who reaches this machine could read, add and remove copies`, {
      hint: 'Name users: --users FILE (made by --users FILE --add-user NAME). Where something else keeps strangers out: --allow-no-users.',
    });
  }
  if (!hasTls && !allowNoTls) {
    throw new HoldfastError('SERVE_EXPOSED', `to ${where} passwords would travel in the clear`, {
      hint: 'Name a certificate: --tls-cert FILE --tls-key FILE. Where something else encrypts on the way: --allow-no-tls.',
    });
  }
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost';
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}

/**
 * Whether a request to a server that asks nobody who they are was meant for it: by its address, or as localhost. A page in a browser on
 * this machine that lets its own name point here (DNS rebinding) says another.
 */
export function isMeantForLoopback(hostHeader: string | undefined): boolean {
  const host = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:]+))(?::\d{1,5})?$/.exec(hostHeader ?? '');
  return host !== null && isLoopback(host[1] ?? host[2]!);
}

/** `HOST:PORT`; port 0 takes a free one. @throws CLI_USAGE */
export function parseListen(text: string): Address {
  // A port of 0 is none for a configuration; here it lets the system choose.
  const isAny = text.endsWith(':0');
  const address = parseAddress(isAny ? text.replace(/:0$/, ':1') : text);
  if (address !== undefined) return isAny ? { ...address, port: 0 } : address;
  throw new HoldfastError('CLI_USAGE', `"${text}" is no HOST:PORT`, { hint: 'Such as 127.0.0.1:8000, or [::1]:8000.' });
}
