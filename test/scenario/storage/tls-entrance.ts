import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { createAuthority, issueNodeCertificate } from '../../../src/agent/certificates.ts';
import { createClock } from '../../../src/runtime/clock.ts';

/** TLS in front of a server on loopback, with a certificate for 127.0.0.1 by a CA of its own. */
export class TlsEntrance implements AsyncDisposable {
  /** Has `ca.pem`. */
  readonly directory: string;
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();

  private constructor(directory: string, server: Server) {
    this.directory = directory;
    this.#server = server;
  }

  /** @param address of loopback where it listens; its certificate is for 127.0.0.1 in any case */
  static async open(port: number, address = '127.0.0.1'): Promise<TlsEntrance> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
    const [wallMs, days] = [createClock().wallMs(), 1];
    const authority = createAuthority({ cluster: 'storage', wallMs, days });
    const { certificate, key } = issueNodeCertificate(authority, { node: 'store', hosts: ['127.0.0.1'], wallMs, days });
    await writeFile(join(directory, 'ca.pem'), authority.certificate);
    const entrance = new TlsEntrance(directory, createServer({ cert: certificate, key }));
    entrance.#server.on('secureConnection', (socket) => entrance.#pass(socket, port));
    await new Promise<void>((resolve) => entrance.#server.listen(0, address, resolve));
    return entrance;
  }

  get endpoint(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `https://${address}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.directory, { recursive: true });
  }

  #pass(socket: TLSSocket, port: number): void {
    this.#sockets.add(socket);
    const inner = connect(port, '127.0.0.1');
    socket.on('error', () => inner.destroy());
    inner.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.pipe(inner).pipe(socket);
  }
}
