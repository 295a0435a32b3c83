import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What a direction of a connection carries: how many messages begin in this chunk, by what they are. */
export interface MessageCounter {
  push(chunk: Buffer): number;
}

/** Reads each direction's messages of one connection. */
export interface Dialect {
  toServer(): MessageCounter;
  toClient(): MessageCounter;
}

/** gRPC: each message of this size is one DATA frame of HTTP/2 that is not empty (RFC 9113, sections 4.1 and 6.1). */
export const grpc: Dialect = {
  toServer: () => new FrameCounter(24, 9, (head) => ({ size: head.readUIntBE(0, 3), counts: head[3] === 0 && head.readUIntBE(0, 3) > 0 })),
  toClient: () => new FrameCounter(0, 9, (head) => ({ size: head.readUIntBE(0, 3), counts: head[3] === 0 && head.readUIntBE(0, 3) > 0 })),
};

const pingXid = -2;
/** Four letters where a length is expected: a question for the server itself, answered in plain text. */
const wordMin = 0x6161_6161;

/** ZooKeeper: a length, then xid (in the first of a connection the protocol's version). Pings and four-letter words do not count. */
export const zooKeeper: Dialect = {
  toServer: () => new FrameCounter(0, 8, jute),
  toClient: () => new FrameCounter(0, 8, jute),
};

function jute(head: Buffer): { size: number; counts: boolean } {
  const size = head.readInt32BE(0);
  if (size >= wordMin) return { size: Infinity, counts: false };
  return { size: size - 4, counts: head.readInt32BE(4) !== pingXid };
}

/** Frames of a fixed head and as many bytes after it as the head says. */
class FrameCounter implements MessageCounter {
  readonly #headSize: number;
  readonly #read: (head: Buffer) => { size: number; counts: boolean };
  #skip: number;
  #head = Buffer.alloc(0);

  constructor(skip: number, headSize: number, read: (head: Buffer) => { size: number; counts: boolean }) {
    this.#skip = skip;
    this.#headSize = headSize;
    this.#read = read;
  }

  push(chunk: Buffer): number {
    let messages = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const taken = Math.min(this.#headSize - this.#head.length, chunk.length - at);
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + taken)]);
      at += taken;
      if (this.#head.length < this.#headSize) break;
      const { size, counts } = this.#read(this.#head);
      this.#head = Buffer.alloc(0);
      this.#skip = size;
      if (counts) messages += 1;
    }
    return messages;
  }
}

export interface WireCounts {
  /** Messages that clients sent, and servers. */
  readonly requests: number;
  readonly answers: number;
  /** How often a client sent something after it had been answered: what has to wait for what, on all connections together. */
  readonly roundTrips: number;
  readonly connections: number;
}

/** A TCP relay on loopback that counts what goes through. */
export class Wire implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #requests = 0;
  #answers = 0;
  #roundTrips = 0;
  #connections = 0;
  #answered = true;
  /** Called when clients have sent so many messages since `take`, before the server gets them. */
  onRequests: (requests: number) => void = () => {};

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(target: { readonly port: number }, dialect: Dialect): Promise<Wire> {
    const server = createServer({ noDelay: true }, (client) => wire.#relay(client, target.port, dialect));
    const wire = new Wire(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What has gone through since it was last asked. */
  take(): WireCounts {
    const counts = {
      requests: this.#requests,
      answers: this.#answers,
      roundTrips: this.#roundTrips,
      connections: this.#connections,
    };
    this.#requests = this.#answers = this.#roundTrips = this.#connections = 0;
    this.#answered = true;
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #relay(client: Socket, port: number, dialect: Dialect): void {
    const server = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#connections += 1;
    const [up, down] = [dialect.toServer(), dialect.toClient()];
    client.on('data', (chunk: Buffer) => {
      const messages = up.push(chunk);
      this.#requests += messages;
      if (messages > 0) this.onRequests(this.#requests);
      if (messages > 0 && this.#answered) {
        this.#roundTrips += 1;
        this.#answered = false;
      }
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      const messages = down.push(chunk);
      this.#answers += messages;
      if (messages > 0) this.#answered = true;
      client.write(chunk);
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('end', () => other.end());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
