import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { journalSettings } from '../config/copies.ts';
import type { HoldfastConfig } from '../config/schema.ts';
import type { ServiceConfig } from '../config/service.ts';
import type { MachineRuntime } from '../core/runtime.ts';
import type { Engine, EngineContext } from '../engine/engine.ts';
import { openEngine } from '../engine/registry.ts';
import { openGuard } from '../failover/guard/guard.ts';
import type { Strike } from '../failover/guard/home.ts';
import { Member } from '../failover/member.ts';
import type { MemberDependencies } from '../failover/member-parts.ts';
import type { LeadershipStore } from '../failover/leadership-store.ts';
import type { Peers } from '../failover/peers.ts';
import type { LocalRouters } from '../failover/routers.ts';
import type { FailoverPolicy } from '../failover/policy.ts';
import type { SessionKeeper } from '../failover/session-keeper.ts';
import { openDurableCell } from '../runtime/index.ts';
import { serviceAccount } from './account.ts';
import { copiesSource } from './copies/copies-source.ts';

const promiseSchema = z.object({ promised: z.number().int().nonnegative(), seen: z.number().int().nonnegative() });

export interface MemberParts {
  readonly config: HoldfastConfig;
  readonly name: string;
  readonly service: ServiceConfig;
  readonly leaderships: LeadershipStore;
  readonly sessions: SessionKeeper;
  readonly peers: Peers;
  readonly runtime: MachineRuntime;
  readonly announce: () => void;
  readonly routers: LocalRouters;
  readonly record: MemberDependencies['record'];
}

/** Wires one member: its engine, its guard, its promises, on this machine. Touches no data. */
export async function openMember(parts: MemberParts): Promise<Member> {
  const { config, name, service, runtime } = parts;
  const stateDir = join(config.node.state, name);
  await mkdir(stateDir, { recursive: true, mode: 0o711 });
  const account = await serviceAccount(service.postgres?.data, service.postgres?.bin !== undefined);
  const isCopied = service.backup !== undefined;
  const settings = journalSettings(service.backup?.journal);
  const journal = settings === undefined ? {} : { journal: { sync: settings.sync, others: config.peers.length } };
  const context: EngineContext = {
    cluster: config.cluster,
    service: name,
    node: config.node.name,
    stateDir,
    account,
    isCopied,
    ...journal,
  };
  const member = { runtime: { ...runtime, logger: runtime.logger.child({ service: name }) } };
  const engine = await openServiceEngine(service, context, member.runtime);
  const onStrike = (strike: Strike): void => parts.record('guard.struck', { ...strike });
  const fence = await openGuard({ stateDir, target: engine.guardTarget(), onStrike }, member.runtime);
  const copies = copiesSource(config, runtime, name);
  return new Member(
    {
      service: name,
      node: config.node.name,
      nofailover: service.failover.nofailover,
      priority: service.failover.priority,
      policy: policyOf(config, service),
      peersExpected: config.peers.length,
      agentPid: process.pid,
      ...(service.postgres && { createReplica: service.postgres.createReplica }),
    },
    {
      engine,
      store: parts.leaderships,
      sessions: parts.sessions,
      peers: parts.peers,
      promise: openDurableCell(join(stateDir, 'promise'), (value) => promiseSchema.parse(value)),
      fence,
      runtime: member.runtime,
      announce: parts.announce,
      routers: parts.routers,
      record: parts.record,
      ...(copies && { copies }),
    },
  );
}

async function openServiceEngine(service: ServiceConfig, context: EngineContext, runtime: MachineRuntime): Promise<Engine> {
  return service.process === undefined
    ? openEngine({ postgres: service.postgres! }, context, runtime)
    : openEngine({ process: service.process }, context, runtime);
}

function policyOf(config: HoldfastConfig, service: ServiceConfig): FailoverPolicy {
  const { failover } = service;
  const members = config.peers.length + 1;
  // Two members can not both be the leader's only quorum and survive its loss: there, and for plain processes, the lease is the fence.
  const acknowledge = service.process === undefined ? (service.postgres?.replication.acknowledge ?? (members >= 3 ? 1 : 0)) : 0;
  return {
    acknowledge,
    minimum: failover.minimum,
    ttlMs: config.coordination.ttl,
    heartbeatMs: failover.heartbeat,
    phi: failover.phi,
    agentGraceMs: failover.agentGrace,
    voterLossMs: failover.voterLoss,
    voterLagBytesMax: failover.voterLagMax,
    handOverMs: failover.handOver,
    unresponsiveMs: failover.unresponsive,
    bootstrapWaitMs: failover.bootstrapWait,
  };
}
