import type { ClusterStatus, MemberStatus, ServiceStatus } from '../../api/schema.ts';

const member = (node: string, port: number, rest: Partial<MemberStatus>): MemberStatus => ({
  node,
  role: 'replica',
  state: 'streaming',
  timeline: 3,
  lsn: '0/4054F80',
  replayLsn: '0/4054F80',
  lagBytes: 0,
  sync: 'quorum',
  address: `10.0.0.${port - 7399}:5432`,
  agentAddress: `10.0.0.${port - 7399}:${port}`,
  nofailover: false,
  priority: 100,
  pids: {},
  ageMs: 0,
  ...rest,
});

/** Three members, all well; tests say what is different. */
export function healthyService(
  change: Partial<ServiceStatus> = {},
  members: Readonly<Record<string, Partial<MemberStatus>>> = {},
): ServiceStatus {
  return {
    service: 'orders',
    engine: 'postgres',
    mode: 'quorum',
    term: 7,
    leader: 'db1',
    paused: false,
    roster: [{ k: 1, voters: ['db2', 'db3'] }],
    warnings: [],
    members: [
      member('db1', 7400, { role: 'primary', state: 'running', sync: 'leader', ...members['db1'] }),
      member('db2', 7401, { ...members['db2'] }),
      member('db3', 7402, { lagBytes: 12_288, ...members['db3'] }),
    ],
    routers: [
      {
        node: 'db1',
        write: { host: '0.0.0.0', port: 6432 },
        read: { host: '0.0.0.0', port: 6433 },
        term: 7,
        kind: 'proxy',
        holding: false,
        drainMs: 0,
        connections: { write: 12, read: 3, held: 0 },
        cutTotal: 2,
        refusedTotal: 0,
      },
    ],
    ...change,
  };
}

export function healthyCluster(service: ServiceStatus = healthyService()): ClusterStatus {
  return {
    cluster: 'shop',
    node: 'db1',
    version: '1.2.3',
    coordination: { kind: 'etcd', reachable: true, faultDomain: 'ensemble' },
    services: [service],
  };
}
