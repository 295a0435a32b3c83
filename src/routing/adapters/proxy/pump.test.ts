import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { reset } from './pump.ts';

async function pair(): Promise<{ near: Socket; far: Socket } & Disposable> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, allowHalfOpen: true });
  const [near] = (await once(server, 'connection')) as [Socket];
  for (const socket of [near, far]) socket.on('error', () => {});
  return {
    near,
    far,
    [Symbol.dispose]() {
      near.destroy();
      far.destroy();
      server.close();
    },
  };
}

it.each([
  ['idle', () => {}],
  ['with bytes that nobody takes', (socket: Socket) => void socket.write(Buffer.alloc(32 << 20))],
  ['while its sending half is being shut down', (socket: Socket) => void socket.end('last words')],
  ['with bytes that nobody takes before its shutdown', (socket: Socket) => void socket.end(Buffer.alloc(32 << 20))],
])('resets a socket %s, once and for all', async (_, prepare) => {
  using sockets = await pair();
  const errors: Error[] = [];
  sockets.near.on('error', (error) => errors.push(error));
  prepare(sockets.near);
  reset(sockets.near, sockets.near);
  // What libuv refuses it says at once, and then nothing more comes.
  expect(errors).toEqual([]);
  await once(sockets.near, 'close');
});
