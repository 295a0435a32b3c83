import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { formatAddress, type Address } from '../core/address.ts';
import { HoldfastError, messageOf } from '../core/errors.ts';

/** What to say where it does not work. */
interface ListenAdvice {
  readonly who: string;
  /** Besides ending the other program. */
  readonly inUse: string;
  readonly failed: string;
}

/** Lets a server listen; the address with the port that it got. @throws LISTEN_PORT_IN_USE, LISTEN_FAILED */
export async function listen(server: Server, address: Address, advice: ListenAdvice): Promise<Address> {
  const { host, port } = address;
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const where = formatAddress(address);
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      throw new HoldfastError('LISTEN_PORT_IN_USE', `${advice.who} can not listen on ${where}: another program does`, {
        hint: `Find it with \`ss -ltnp 'sport = :${port}'\`; end it, or ${advice.inUse}.`,
        cause: error,
      });
    }
    throw new HoldfastError('LISTEN_FAILED', `${advice.who} can not listen on ${where}: ${messageOf(error)}`, {
      hint: `${advice.failed[0]!.toUpperCase()}${advice.failed.slice(1)}.`,
      cause: error,
    });
  }
  return { host, port: (server.address() as AddressInfo).port };
}
