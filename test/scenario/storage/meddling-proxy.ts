import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of a request instead of, or besides, being passed on. */
export type Meddling =
  | { readonly type: 'answer'; readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  /** The server's answer, broken off after so many bytes of its body. */
  | { readonly type: 'cut-answer'; readonly afterBytes: number }
  /** The request reaches the server, the answer nobody. */
  | { readonly type: 'lose-answer' }
  /** The server's answer, with other text in it. */
  | { readonly type: 'rewrite-answer'; readonly rewrite: (body: string) => string };

/** A proxy before an HTTP server that meddles with what it is told to; everything else passes as it is, the Host header too. */
export class MeddlingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: number;
  /** Asked for each request; undefined lets it pass. */
  meddle: (incoming: IncomingMessage) => Meddling | undefined = () => undefined;
  /** Requests that came, as `METHOD path`. */
  readonly seen: string[] = [];

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing));
  }

  static async open(targetPort: number): Promise<MeddlingProxy> {
    const proxy = new MeddlingProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.seen.push(`${incoming.method} ${incoming.url}`);
    const meddling = this.meddle(incoming);
    if (meddling?.type === 'answer') {
      incoming.resume();
      outgoing.writeHead(meddling.status, { 'content-type': 'application/xml', ...meddling.headers }).end(meddling.body);
      return;
    }
    const { method, url, headers } = incoming;
    const passed = request({ host: '127.0.0.1', port: this.#target, method, path: url, headers, agent: false }, (answer) =>
      answerWith(answer, outgoing, meddling),
    );
    passed.on('error', () => outgoing.destroy());
    incoming.on('error', () => passed.destroy());
    incoming.pipe(passed);
  }
}

function answerWith(answer: IncomingMessage, outgoing: ServerResponse, meddling: Meddling | undefined): void {
  const { statusCode = 500, headers } = answer;
  const socket = outgoing.socket;
  if (meddling === undefined || meddling.type === 'answer') {
    outgoing.writeHead(statusCode, headers);
    answer.pipe(outgoing);
    return;
  }
  void answer.toArray().then((chunks: Buffer[]) => {
    const body = Buffer.concat(chunks);
    if (meddling.type === 'lose-answer') return void socket?.destroy();
    if (meddling.type === 'rewrite-answer') {
      const rewritten = meddling.rewrite(body.toString());
      const { 'transfer-encoding': _chunked, ...others } = headers;
      outgoing.writeHead(statusCode, { ...others, 'content-length': String(Buffer.byteLength(rewritten)) }).end(rewritten);
      return;
    }
    outgoing.writeHead(statusCode, headers);
    outgoing.write(body.subarray(0, meddling.afterBytes), () => socket?.destroy());
  });
}
