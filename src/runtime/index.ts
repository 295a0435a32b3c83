import type { MachineRuntime } from '../core/runtime.ts';
import { createClock } from './clock.ts';
import { openLogger, type LoggerOptions } from './logger.ts';
import { createProcesses } from './processes.ts';
import { createRandom } from './random.ts';

export { createClock } from './clock.ts';
export { openDurableCell, type ParseCell } from './durable-cell.ts';
export { openListener, type Listener, type ListenerLimits, type ListenerOptions } from './listener.ts';
export { openLogger, type LoggerOptions, type LogLevel, type OpenLogger } from './logger.ts';
export { openPeerNetwork, type PeerNetworkOptions, type PeerTiming } from './peer-network.ts';
export { createProcesses } from './processes.ts';
export { streamOutput } from './output.ts';
export { createRandom } from './random.ts';
export { readTlsCredentials, type TlsCredentials, type TlsCredentialsReport } from './tls-credentials.ts';
export { openWebServer, type WebCredentials, type WebServer, type WebServerLimits, type WebServerOptions } from './web-server.ts';

export interface RuntimeOptions {
  readonly log?: LoggerOptions;
}

/** The ports on this machine. Disposing of it writes the rest of the log. @throws LOG_NOT_WRITABLE, PROCESS_UNSUPPORTED */
export function createRuntime(options: RuntimeOptions = {}): MachineRuntime & AsyncDisposable {
  const log = openLogger(options.log);
  return {
    clock: createClock(),
    random: createRandom(),
    logger: log.logger,
    processes: createProcesses(),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}
