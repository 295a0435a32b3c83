import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { peerProtocol } from '../listener.ts';
import type { TlsCredentials } from '../tls-credentials.ts';
import { closingOf, type Closing } from './wire.ts';

export type Dialled = { readonly connected: true; readonly socket: TLSSocket } | { readonly connected: false; readonly closing: Closing };

/** One attempt to reach another agent, over mutual TLS 1.3. Never throws: what went wrong is the result. */
export async function dial(
  address: { host: string; port: number },
  credentials: TlsCredentials,
  options: { clock: Clock; timeoutMs: number; signal: AbortSignal },
): Promise<Dialled> {
  const { promise, resolve } = Promise.withResolvers<Dialled>();
  const socket = connect({
    ...address,
    ...credentials,
    ALPNProtocols: [peerProtocol],
    minVersion: 'TLSv1.3',
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 5_000,
    // An agent is known by the node name in its certificate, not by the address at which it is found; see introduction.ts.
    checkServerIdentity: () => undefined,
  } as ConnectionOptions);
  const fail = (closing: Closing): void => {
    socket.destroy();
    resolve({ connected: false, closing });
  };
  const abort = (): void => fail({ status: 'unreachable', detail: 'this agent is stopping' });
  const overdue = options.clock.after(options.timeoutMs, () =>
    fail({ status: 'unreachable', detail: `no answer within ${options.timeoutMs} ms` }),
  );
  options.signal.addEventListener('abort', abort, { once: true });
  // Stays for good: an error after the result is no longer ours, but must not be thrown either.
  socket.on('error', (error) => fail(closingOf(error)));
  const closed = (): void => fail({ status: 'reset', detail: 'the connection was closed during the TLS handshake' });
  socket.once('close', closed);
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol === peerProtocol) resolve({ connected: true, socket });
    else fail({ status: 'rejected', detail: 'no Holdfast agent speaks there: check the address' });
  });
  try {
    return await promise;
  } finally {
    socket.off('close', closed);
    overdue[Symbol.dispose]();
    options.signal.removeEventListener('abort', abort);
  }
}
