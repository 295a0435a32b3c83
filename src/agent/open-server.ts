import { createApi, plainPathsFor } from '../api/server.ts';
import type { AgentControl } from '../api/control.ts';
import type { HoldfastConfig } from '../config/schema.ts';
import type { PeerNetwork } from '../core/peer-network.ts';
import type { MachineRuntime } from '../core/runtime.ts';
import { openListener } from '../runtime/listener.ts';
import { openPeerNetwork } from '../runtime/peer-network.ts';
import { readTlsCredentials } from '../runtime/tls-credentials.ts';
import { version } from './version.ts';

/** The one port of an agent: peers, people and health checks. */
export interface Server extends AsyncDisposable {
  readonly network: PeerNetwork;
  readonly address: { readonly host: string; readonly port: number };
  serve(control: AgentControl, config: HoldfastConfig, runtime: MachineRuntime): Promise<void>;
}

/** @throws CONFIG_CERTIFICATE_…, LISTEN_PORT_IN_USE */
export async function openServer(config: HoldfastConfig, runtime: MachineRuntime): Promise<Server> {
  const { security, node, cluster } = config;
  const { credentials, warnings } = await readTlsCredentials(security, { node: node.name, wallMs: runtime.clock.wallMs() });
  for (const warning of warnings) runtime.logger.warn('agent.certificate.warning', { warning });
  await using stack = new AsyncDisposableStack();
  const listener = stack.use(
    await openListener({ ...node.listen, credentials, plainPaths: plainPathsFor(Object.keys(config.services)) }, runtime),
  );
  const network = stack.use(
    openPeerNetwork({ cluster, node: node.name, peers: config.peers, credentials: () => credentials, listener }, runtime),
  );
  const kept = stack.move();
  return {
    network,
    address: listener.address,
    async serve(control) {
      const tokens = security.tokens.map((token) => ({ name: token.name, role: token.role, secret: token.secret.reveal() }));
      const api = await createApi(control, { tokens, readOpen: security.readOpen, clock: runtime.clock, logger: runtime.logger, version });
      kept.defer(() => api.close());
      listener.onRequest(api.handle);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
