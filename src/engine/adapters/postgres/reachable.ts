import { connect } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import type { MemberAddress } from '../../engine.ts';

/** SSLRequest: its length, then 80877103 (PostgreSQL manual, Message Formats). */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/**
 * Whether a server answers where clients connect. A TCP connection proves nothing: the kernel takes it for a server that stands still.
 * So it is asked whether it speaks TLS, which a live one answers before anyone has to log in.
 */
export async function probe(member: MemberAddress, clock: Clock, timeoutMs: number): Promise<'answers' | 'refused' | 'silent'> {
  const { promise, resolve } = Promise.withResolvers<'answers' | 'refused' | 'silent'>();
  using _timer = clock.after(timeoutMs, () => resolve('silent'));
  const socket = connect({ host: member.host, port: member.port });
  socket.once('connect', () => socket.write(sslRequest));
  socket.once('data', (answer) => resolve(answer[0] === 0x4e || answer[0] === 0x53 || answer[0] === 0x45 ? 'answers' : 'silent'));
  socket.once('error', (error: NodeJS.ErrnoException) =>
    resolve(error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET' ? 'refused' : 'silent'),
  );
  socket.once('close', () => resolve('silent'));
  const answer = await promise;
  socket.destroy();
  return answer;
}
