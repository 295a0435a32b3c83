import type { SimulatedClock } from '../../../src/sim/index.ts';
import type { SimulatedNode } from '../node.ts';
import { flushMsMaxWell } from '../postgres/database.ts';
import { leaderOf, someNode, type FaultKinds } from './fault.ts';

/** Of machines, and of what runs on them. */
export const machineFaults = {
  'agent killed': {
    weight: 3,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      node.killAgent();
      return () => node.startAgent();
    },
  },
  'agent upgraded': {
    weight: 3,
    begin: (world, random) => {
      const node = someNode(world, random);
      node.leaveAgent();
      return () => node.startAgent();
    },
  },
  'leader killed': {
    weight: 4,
    begin: (world, random) => {
      const node = leaderOf(world) ?? random.pick(world.nodes);
      node.crash(random.chance(0.5) ? 'on' : 'off');
      return () => node.restart();
    },
  },
  'node killed': {
    weight: 3,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      node.crash(random.chance(0.5) ? 'on' : 'off');
      return () => node.restart();
    },
  },
  'database killed': {
    weight: 4,
    begin: (world, random) => {
      const node = random.chance(0.6) ? leaderOf(world) : random.pick(world.nodes);
      node?.killDatabase();
      return undefined;
    },
  },
  'agent stalled': {
    weight: 4,
    begin: (world, random) => {
      const node = random.chance(0.6) ? leaderOf(world) : random.pick(world.nodes);
      const agent = node?.agent;
      if (node === undefined || agent === undefined) return undefined;
      world.trace.add(node.name, 'agent stalled');
      node.noteTerm();
      agent.clock.stall();
      return () => {
        if (node.agent !== agent || node.suspended) return;
        world.trace.add(node.name, 'agent goes on');
        agent.clock.resume();
      };
    },
  },
  'database stalled': {
    weight: 2,
    begin: (world, random) => {
      const node = random.chance(0.6) ? leaderOf(world) : random.pick(world.nodes);
      const server = node?.database.server;
      if (node === undefined || server === undefined) return undefined;
      world.trace.add(node.name, 'database stalled');
      server.clock.stall();
      return () => {
        if (!node.suspended) server.clock.resume();
      };
    },
  },
  'machine suspended': {
    weight: 1,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      if (node.suspended) return undefined;
      node.suspended = true;
      world.trace.add(node.name, 'machine suspended');
      for (const clock of clocksOf(node)) clock.suspend();
      return () => {
        node.suspended = false;
        world.trace.add(node.name, 'machine goes on');
        // A real guard notices within its poll interval (a second), which the database may use: the one hole of asynchronous mode that is not closed.
        for (const clock of clocksOf(node)) clock.resume();
        node.guard.wakes();
      };
    },
  },
  'slow disk': {
    weight: 1,
    begin: (world, random) => {
      const node = random.pick(world.nodes);
      const full = random.chance(0.5);
      world.trace.add(node.name, full ? 'disk full' : 'disk slow');
      if (full) node.disk.full = true;
      else node.disk.writeMsMax = 800;
      return () => {
        world.trace.add(node.name, 'disk well');
        node.disk.full = false;
        node.disk.writeMsMax = 4;
      };
    },
  },
  'slow data disk': {
    weight: 2,
    begin: (world, random) => {
      const { database } = random.pick(world.nodes);
      database.flushMsMax = 50 + random.next() ** 2 * 5_000;
      world.trace.add(database.node, 'data disk slow', { flushMsMax: database.flushMsMax });
      return () => {
        database.flushMsMax = flushMsMaxWell;
        world.trace.add(database.node, 'data disk well');
      };
    },
  },
  'clock set': {
    weight: 1,
    begin: (world, random) => {
      random.pick(world.nodes).agent?.clock.jumpWall((random.next() - 0.5) * 7_200_000);
      return undefined;
    },
  },
} as const satisfies FaultKinds;

/** Of everything that runs on a machine now. */
function clocksOf(node: SimulatedNode): SimulatedClock[] {
  return [node.machine, node.agent?.clock, node.database.server?.clock].flatMap((clock) => clock ?? []);
}
