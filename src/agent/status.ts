import type { MemberStatus, ServiceStatus } from '../api/schema.ts';
import type { Heartbeat, MemberState } from '../failover/messages.ts';
import type { LeadershipRecord } from '../failover/records.ts';
import { formatLsn } from '../core/lsn.ts';

/** One agent's last words about all its members and routers. */
export interface NodeReport {
  readonly node: string;
  readonly alive: boolean;
  readonly ageMs: number;
  /** Since its heartbeat was stamped with its time of day. */
  readonly stampAgeMs: number;
  readonly heartbeat: Heartbeat;
}

export interface ServiceFacts {
  readonly service: string;
  readonly engine: 'postgres' | 'process';
  readonly record: LeadershipRecord | undefined;
  readonly paused: boolean;
  readonly acknowledge: number;
  readonly storeProblem: string;
  readonly nodes: readonly NodeReport[];
}

/** Peers' clocks further apart than this are a warning: stamps can not be compared, certificates may not be valid yet. */
const CLOCKS_APART_MS = 2_000;
const LAG_WARNING_BYTES = 64 * 1024 * 1024;

/** One service as an operator wants to see it. Pure. */
export function serviceStatus(facts: ServiceFacts, wallMs: number): ServiceStatus {
  const found = facts.nodes.flatMap((node) => {
    const state = node.heartbeat.members.find((member) => member.service === facts.service);
    return state === undefined ? [] : [{ node, state }];
  });
  const serving = found.reduce<(typeof found)[number] | undefined>(
    (best, one) => (one.state.serving > (best?.state.serving ?? 0) ? one : best),
    undefined,
  );
  const term = Math.max(facts.record?.term ?? 0, serving?.state.serving ?? 0);
  const leader = serving?.node.alive === true && serving.state.serving === term ? serving : undefined;
  const members = found.map(({ node, state }) => memberStatus(node, state, leader)).toSorted((a, b) => (a.node < b.node ? -1 : 1));
  const roster = facts.record?.roster ?? [];
  const quorum = roster.length > 0 ? roster.every((configuration) => configuration.k > 0) : facts.acknowledge > 0;
  return {
    service: facts.service,
    engine: facts.engine,
    mode: quorum ? 'quorum' : 'asynchronous',
    term,
    leader: leader?.node.node ?? null,
    paused: facts.paused,
    roster: roster.map((configuration) => ({ k: configuration.k, voters: [...configuration.voters] })),
    warnings: warningsOf(facts, members, leader?.node.node, wallMs),
    members,
    ...copiesOf(facts, wallMs),
    routers: routersOf(facts).map(({ node, router: { service: _, ...router } }) => ({ node, ...dropUndefined(router) })),
  };
}

/** As whoever leads says: of several, the one that was heard of last. */
function copiesOf({ nodes, service }: ServiceFacts, wallMs: number): { copies?: NonNullable<ServiceStatus['copies']> } {
  const [found] = nodes
    .flatMap(({ node, alive, ageMs, heartbeat }) =>
      alive ? heartbeat.copies.filter((copies) => copies.service === service).map((state) => ({ node, ageMs, state })) : [],
    )
    .toSorted((a, b) => a.ageMs - b.ageMs);
  if (found === undefined) return {};
  const { location, parts, last, journal, alarms } = found.state;
  const good = last && {
    at: new Date(last.atMs).toISOString(),
    ageMs: Math.max(0, Math.round(wallMs - last.atMs)),
    ...(last.start && { timeline: last.start.timeline, startLsn: formatLsn(BigInt(last.start.lsn)) }),
  };
  return { copies: { node: found.node, location, parts, ...(good && { last: good }), ...(journal && { journal }), alarms } };
}

function routersOf({ nodes, service }: ServiceFacts): { node: string; router: Heartbeat['routers'][number] }[] {
  return nodes.flatMap(({ node, alive, heartbeat }) =>
    alive ? heartbeat.routers.filter((router) => router.service === service).map((router) => ({ node, router })) : [],
  );
}

function memberStatus(node: NodeReport, state: MemberState, leader: { node: NodeReport; state: MemberState } | undefined): MemberStatus {
  const end = leader?.state.position;
  const lag =
    end === undefined || state.position === undefined ? undefined : Math.max(0, Number(BigInt(end.lsn) - BigInt(state.position.lsn)));
  const leads = leader !== undefined && leader.node.node === node.node;
  const sync = leads ? 'leader' : leader?.state.sync?.[node.node];
  return dropUndefined({
    node: node.node,
    role: node.alive ? state.role : ('unknown' as const),
    state: node.alive ? state.state : 'unreachable',
    detail: node.alive ? state.detail : `not heard of for ${Math.round(node.ageMs / 1000)} s`,
    timeline: state.position?.timeline,
    lsn: state.position === undefined ? undefined : formatLsn(BigInt(state.position.lsn)),
    replayLsn: state.replayLsn === undefined ? undefined : formatLsn(BigInt(state.replayLsn)),
    lagBytes: lag,
    impairment: node.alive ? state.impairment : undefined,
    damagedPages: state.damagedPages,
    sync,
    address: `${state.address.host}:${state.address.port}`,
    agentAddress: node.heartbeat.agentAddress,
    promised: state.promised,
    version: state.version,
    pendingRestart: state.pendingRestart,
    nofailover: state.nofailover,
    priority: state.priority,
    pids: node.alive ? state.pids : {},
    ageMs: Math.round(node.ageMs),
  });
}

function warningsOf(facts: ServiceFacts, members: readonly MemberStatus[], leader: string | undefined, wallMs: number): string[] {
  const warnings: string[] = [];
  if (leader === undefined) warnings.push('Nobody leads: writes are not possible.');
  if (facts.storeProblem) warnings.push(`Coordination: ${facts.storeProblem}.`);
  if (facts.paused) warnings.push('Paused: no automatic failover until resumed.');
  for (const member of members) {
    if (member.state === 'unreachable') warnings.push(`${member.node} is not reachable.`);
    else if (['foreign', 'out', 'fenced', 'failed'].includes(member.state))
      warnings.push(`${member.node} is ${member.state}: ${member.detail ?? ''}`);
    else if ((member.lagBytes ?? 0) > LAG_WARNING_BYTES) warnings.push(`${member.node} is ${member.lagBytes} bytes behind.`);
    if (member.impairment !== undefined) warnings.push(`${member.node}: ${member.detail ?? `its disk is ${member.impairment}`}`);
    if ((member.damagedPages ?? 0) > 0) warnings.push(damaged(facts.service, member, leader));
    if (member.pendingRestart === true) warnings.push(`${member.node} needs a restart for changed settings.`);
  }
  for (const { node, router } of routersOf(facts))
    if (router.problem !== undefined) warnings.push(`The router on ${node} (${router.kind}): ${router.problem}`);
  warnings.push(...(copiesOf(facts, wallMs).copies?.alarms ?? []));
  const target = facts.record?.roster.at(-1);
  if (facts.acknowledge > 0 && target !== undefined && members.length > 1) {
    if (target.k === 0) warnings.push('No replica acknowledges commits yet: losing the leader now could lose data.');
    else if (target.k < facts.acknowledge)
      warnings.push(`Commits wait for ${target.k} instead of ${facts.acknowledge} replicas: too few are there.`);
  }
  for (const node of facts.nodes) {
    const apart = Math.abs(wallMs - node.stampAgeMs - node.heartbeat.wallMs);
    if (node.alive && apart > CLOCKS_APART_MS)
      warnings.push(`The clock of ${node.node} is ${(apart / 1000).toFixed(1)} s apart from here: check its time synchronisation.`);
  }
  return warnings;
}

function damaged(service: string, { node, damagedPages }: MemberStatus, leader: string | undefined): string {
  const advice =
    node === leader
      ? 'let another lead (`holdfast switchover`), then copy this one anew'
      : `\`holdfast reinit ${service} --node ${node}\` copies its data anew`;
  return `${node} has met damaged pages ${damagedPages} times (their checksums are wrong): look at its disk and memory; ${advice}.`;
}

function dropUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
