import type { Runtime } from '../../../core/runtime.ts';
import { MemoryLink } from './memory-link.ts';
import type { MemoryServer } from './memory-server.ts';
import { MemoryStore } from './memory-store.ts';
import type { Clock } from '../../../core/clock.ts';

export { MemoryLink } from './memory-link.ts';
export { MemoryServer } from './memory-server.ts';
export { MemoryStore } from './memory-store.ts';

/**
 * A new client of a store in this process, and the link between them to inject faults. For tests and the simulator.
 * @param options.serverClock the clock of the server's machine, where it is another (default: the client's)
 */
export function connectMemory(
  server: MemoryServer,
  runtime: Runtime,
  options: { serverClock?: Clock } = {},
): { store: MemoryStore; link: MemoryLink } {
  const link = new MemoryLink(server, options.serverClock ?? runtime.clock, runtime.clock);
  return { store: new MemoryStore(server, link, runtime), link };
}
