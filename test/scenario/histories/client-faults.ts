import type { Clock } from '../../../src/core/clock.ts';
import type { SeededRandom } from '../../../src/sim/index.ts';
import type { Way } from '../servers/cut-proxy.ts';
import type { Client } from './clients.ts';
import type { Fault } from './faults.ts';

/** Shorter and longer than a TTL of 2 s. */
const shortMs = 900;
const longMs = 3_200;

export interface ClientFaultTargets {
  readonly clock: Clock;
  readonly random: SeededRandom;
  /** Those that run now. */
  readonly clients: Client[];
  /** A new one in the place of one that was killed. */
  readonly replace: (client: Client) => Promise<Client>;
}

/** What happens to clients of every store. */
export function clientFaults({ clock, random, clients, replace }: ClientFaultTargets): Fault[] {
  const stall = (name: string, forMs: number): Fault => ({
    name,
    inject: async () => {
      const client = random.pick(clients);
      client.stall();
      await clock.sleep(forMs);
      client.continue();
    },
  });
  return [
    stall('client stalled for a moment', shortMs),
    stall('client stalled beyond its TTL', longMs),
    {
      name: 'client killed',
      inject: async () => {
        const index = random.integer(clients.length);
        const killed = clients[index]!;
        await killed.kill();
        clients[index] = await replace(killed);
      },
    },
  ];
}

/** What happens between clients and servers. */
export function linkFaults({ clock, random, clients }: ClientFaultTargets): Fault[] {
  const cut = (name: string, way: Way, forMs: number, lost: boolean): Fault => ({
    name,
    inject: async () => {
      const { relays } = random.pick(clients);
      for (const relay of relays) relay.hang(way);
      await clock.sleep(forMs);
      // Else what was held back arrives after all, late.
      if (lost) for (const relay of relays) relay.reset();
      for (const relay of relays) await relay.restore();
    },
  });
  return [
    cut('client cut off for a moment', 'both', shortMs, false),
    cut('client cut off beyond its TTL', 'both', longMs, true),
    cut('answers held back', 'to-client', shortMs * 2, true),
    cut('requests held back', 'to-server', shortMs * 2, false),
    {
      name: 'connections reset',
      inject: async () => {
        for (const relay of random.pick(clients).relays) relay.reset();
      },
    },
  ];
}
