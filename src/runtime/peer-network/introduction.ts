import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { certifiedNames } from '../../core/certificate-chain.ts';
import { cutText, protocolVersion, type Hello, type Message } from './messages.ts';
import { describeCertificateProblem, Wire, type Closing } from './wire.ts';

export type Introduced =
  | { readonly known: true; readonly wire: Wire; readonly hello: Hello }
  | { readonly known: false; readonly self: boolean; readonly closing: Closing };

/**
 * Both sides say who they are, judge each other, and say that they agree; each tells the other why it does not. Bounded by `timeoutMs`.
 * The name that counts is proven by the certificate.
 */
export async function introduce(socket: TLSSocket, own: Hello, options: { clock: Clock; timeoutMs: number }): Promise<Introduced> {
  const wire = new Wire(socket);
  const overdue = options.clock.after(options.timeoutMs, () => {
    wire.close({ status: 'unreachable', detail: `it did not introduce itself within ${options.timeoutMs} ms` });
  });
  try {
    return await exchange(wire, socket, own);
  } finally {
    overdue[Symbol.dispose]();
  }
}

async function exchange(wire: Wire, socket: TLSSocket, own: Hello): Promise<Introduced> {
  if (!socket.authorized) return refuse(wire, certificateRefusal(socket));
  const { promise, resolve } = Promise.withResolvers<Introduced>();
  void wire.closed.then((closing) => resolve({ known: false, self: false, closing }));
  let hello: Hello | undefined;
  const take = (message: Message): void => {
    if (message.type === 'reject') {
      wire.close({ status: 'rejected', detail: `it refuses this agent: ${message.detail}` });
    } else if (message.type === 'hello' && hello === undefined) {
      const refusal = judge(message, own, socket);
      if (refusal !== undefined) return resolve(refuse(wire, refusal));
      hello = message;
      wire.send({ type: 'welcome' });
    } else if (message.type === 'welcome' && hello !== undefined) {
      wire.trust();
      // What follows in the same chunk waits for the connection to listen.
      wire.hold();
      resolve({ known: true, wire, hello });
    } else {
      resolve(refuse(wire, { ours: 'it did not introduce itself as an agent does', theirs: 'you did not introduce yourself' }));
    }
  };
  wire.listen(take, () => {});
  wire.send(own);
  return promise;
}

/** The same refusal as told to our operator and to theirs. */
interface Refusal {
  readonly ours: string;
  readonly theirs: string;
  readonly self?: true;
}

function judge(hello: Hello, own: Hello, socket: TLSSocket): Refusal | undefined {
  if (hello.protocol !== protocolVersion) {
    const versions = (a: string, b: string): string =>
      `${a} protocol ${hello.protocol}, ${b} ${protocolVersion}: run the same version of Holdfast on all nodes`;
    return { ours: versions('it speaks', 'this agent'), theirs: versions('you speak', own.node) };
  }
  if (hello.cluster !== own.cluster) {
    return {
      ours: `it belongs to cluster '${hello.cluster}', this agent to '${own.cluster}': correct 'cluster' or 'peers'`,
      theirs: `you belong to cluster '${hello.cluster}', ${own.node} to '${own.cluster}': correct 'cluster' or 'peers'`,
    };
  }
  const names = certifiedNames(socket.getPeerX509Certificate()!);
  if (!names.has(hello.node)) {
    const proven = [...names].join(', ') || 'nobody';
    const remedy = 'make one for it with `holdfast certificates node`';
    return {
      ours: `it calls itself '${hello.node}', but its certificate is for ${proven}: ${remedy}`,
      theirs: `you call yourself '${hello.node}', but your certificate is for ${proven}: ${remedy}`,
    };
  }
  if (hello.node !== own.node) return undefined;
  if (hello.instance === own.instance) return { ours: 'this agent itself', theirs: 'this agent itself', self: true };
  const twins = `two agents call themselves '${own.node}': give each node a name and a certificate of its own, and run one agent on it`;
  return { ours: twins, theirs: twins };
}

function certificateRefusal(socket: TLSSocket): Refusal {
  // Typed as an Error, but documented and set as the code.
  const code = String((socket.authorizationError as Error | string | undefined) ?? '');
  if (socket.getPeerX509Certificate() === undefined) {
    return { ours: 'it showed no certificate', theirs: 'you showed no certificate: configure security.cert and security.key' };
  }
  const problem = describeCertificateProblem(code) ?? `was refused (${code})`;
  return { ours: `its certificate ${problem}`, theirs: `your certificate ${problem}` };
}

function refuse(wire: Wire, refusal: Refusal): Introduced {
  const closing: Closing = { status: 'rejected', detail: refusal.ours };
  wire.close(closing, { type: 'reject', detail: cutText(refusal.theirs) });
  return { known: false, self: refusal.self === true, closing };
}
