import type { ClusterStatus, MemberStatus, ServiceStatus } from '../../api/schema.ts';
import { formatAddress } from '../../core/address.ts';
import { formatDurationMs, formatSizeBytes } from '../../core/units.ts';
import { visible, type Paint, type Style } from '../terminal/style.ts';
import { tableLines, type Cell, type Column } from '../terminal/table.ts';

export interface ViewOptions {
  readonly paint: Paint;
  /** Columns of the terminal. */
  readonly width?: number;
  /** Cells that changed just now, as `cellKey` names them. */
  readonly changed?: ReadonlySet<string>;
}

type MemberColumn = Column & { readonly key: string; readonly text: (member: MemberStatus) => string };

const memberColumns: readonly MemberColumn[] = [
  { key: 'node', heading: 'MEMBER', text: (member) => member.node },
  { key: 'role', heading: 'ROLE', text: (member) => member.role },
  { key: 'state', heading: 'STATE', text: (member) => member.state },
  { key: 'sync', heading: 'SYNC', text: (member) => member.sync ?? '', dispensable: 1 },
  { key: 'timeline', heading: 'TL', text: (member) => String(member.timeline ?? ''), align: 'right', dispensable: 3 },
  { key: 'lsn', heading: 'LSN', text: (member) => member.lsn ?? '', align: 'right', dispensable: 4 },
  { key: 'lag', heading: 'LAG', text: (member) => lagText(member), align: 'right' },
  { key: 'address', heading: 'ADDRESS', text: (member) => member.address, dispensable: 2 },
  { key: 'agent', heading: 'AGENT', text: (member) => member.agentAddress ?? '', dispensable: 5 },
  { key: 'tags', heading: 'TAGS', text: (member) => tagsOf(member), dispensable: 6 },
];

/** Columns that move all the time, and so never count as changed. */
const restless: readonly string[] = ['lsn', 'lag'];

/** Names one cell of one member, the same in every view. */
export function cellKey(service: string, node: string, column: string): string {
  return `${service}/${node}/${column}`;
}

/** Whether every service does its work, and nothing needs attention. */
export function isHealthy(status: ClusterStatus): boolean {
  return status.coordination.reachable && status.services.every((service) => service.leader !== null && service.warnings.length === 0);
}

/** The state of a cluster, for people. */
export function statusLines(status: ClusterStatus, options: ViewOptions): string[] {
  const { paint } = options;
  const { kind, reachable, faultDomain } = status.coordination;
  const store = reachable
    ? `coordination ${kind}, ${placeOf[faultDomain] ?? visible(faultDomain)}`
    : paint(`coordination ${kind} does not answer`, 'bad');
  const lines = [`${paint(visible(status.cluster), 'strong')}  as ${visible(status.node)} sees it, ${store}`];
  if (status.services.length === 0) lines.push('', 'This agent has no services.');
  for (const service of status.services) lines.push('', ...serviceLines(service, options));
  return lines;
}

/** What fails together with the coordination store. */
const placeOf: Readonly<Record<string, string>> = { process: 'in one process', host: 'on one host', ensemble: 'on an ensemble' };

function serviceLines(service: ServiceStatus, options: ViewOptions): string[] {
  const { paint, width = Infinity } = options;
  const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
  const rows = service.members.map((member) => memberColumns.map((column) => memberCell(service, member, column, options)));
  return [
    headline(service, paint),
    ...(rows.length === 0 ? [] : indented(tableLines(memberColumns, rows, paint, width - 2))),
    ...service.members.flatMap((member) => detailLines(member, paint)),
    ...(service.routers.length === 0 ? [] : ['', ...indented(routerLines(service, paint, width - 2))]),
    ...copiesLines(service, paint),
    ...service.warnings.map((warning) => `  ${paint('!', 'warn')} ${paint(visible(warning), 'warn')}`),
  ];
}

function copiesLines({ copies }: ServiceStatus, paint: Paint): string[] {
  if (copies === undefined) return [];
  const { location, parts, last, journal } = copies;
  const [whole] = parts;
  const state = whole === undefined ? 'not opened' : whole.state;
  const facts = [
    `${visible(location)} ${state === 'ok' ? state : paint(state, 'warn')}`,
    last === undefined ? paint('no backup yet', 'warn') : `last backup ${formatDurationMs(roundedMs(last.ageMs))} ago`,
  ];
  if (journal !== undefined) {
    const lag = `journal ${formatDurationMs(roundedMs(journal.lagMs))}, ${formatSizeBytes(journal.lagBytes)} behind`;
    facts.push(journal.state === 'running' ? lag : paint(`${lag}, ${journal.state}`, 'warn'));
    const { folded } = journal;
    if (folded !== undefined) facts.push(`folded ${formatDurationMs(roundedMs(folded.ageMs))} ago, ${folded.parts} parts left`);
  }
  return ['', `  copies  ${facts.join('  ')}`];
}

/** To two units of time at the most. */
function roundedMs(ms: number): number {
  const grain = ms < 10_000 ? 100 : ms < 3_600_000 ? 1_000 : ms < 86_400_000 ? 60_000 : 3_600_000;
  return Math.round(ms / grain) * grain;
}

function headline(service: ServiceStatus, paint: Paint): string {
  const leader = service.leader === null ? paint('no leader', 'bad') : `leader ${paint(visible(service.leader), 'good')}`;
  const facts = [`${service.engine}, ${modeText(service)}`, `term ${service.term}`, leader];
  if (service.paused) facts.push(paint('paused', 'warn'));
  return `${paint(visible(service.service), 'strong')}  ${facts.join('  ')}`;
}

function modeText({ mode, roster }: ServiceStatus): string {
  if (mode === 'asynchronous') return 'asynchronous';
  return `quorum ${roster.map(({ k, voters }) => `${k} of ${voters.length}`).join(' and ')}`;
}

function memberCell(service: ServiceStatus, member: MemberStatus, column: MemberColumn, { changed }: ViewOptions): Cell {
  if (changed?.has(cellKey(service.service, member.node, column.key))) return { text: column.text(member), style: 'changed' };
  return {
    text: column.text(member),
    style: column.key === 'state' ? stateStyle(member) : column.key === 'node' && service.leader === member.node ? 'good' : 'plain',
  };
}

function isWell({ state }: MemberStatus): boolean {
  return state === 'running' || state === 'streaming';
}

function stateStyle(member: MemberStatus): Style {
  const { state } = member;
  if (isWell(member)) return 'plain';
  return ['unreachable', 'failed', 'fenced', 'foreign', 'out'].includes(state) ? 'bad' : 'warn';
}

function detailLines(member: MemberStatus, paint: Paint): string[] {
  return isWell(member) || !member.detail ? [] : [`  ${paint(`${visible(member.node)}: ${visible(member.detail)}`, 'dim')}`];
}

function lagText(member: MemberStatus): string {
  return member.lagBytes === undefined || member.sync === 'leader' ? '' : formatSizeBytes(member.lagBytes);
}

function tagsOf(member: MemberStatus): string {
  return [member.nofailover ? 'nofailover' : [], member.pendingRestart ? 'pending restart' : []].flat().join(', ');
}

function routerLines(service: ServiceStatus, paint: Paint, width: number): string[] {
  const columns: readonly Column[] = [
    { heading: 'ROUTER' },
    { heading: 'KIND', dispensable: 3 },
    { heading: 'WRITE' },
    { heading: 'READ' },
    { heading: 'TERM', align: 'right', dispensable: 1 },
    { heading: 'WRITERS', align: 'right', dispensable: 2 },
    { heading: 'READERS', align: 'right', dispensable: 3 },
    { heading: 'HELD', align: 'right' },
    { heading: 'CUT', align: 'right', dispensable: 4 },
    { heading: 'REFUSED', align: 'right', dispensable: 5 },
  ];
  const rows = service.routers.map((router): Cell[] => [
    { text: router.node },
    {
      text: router.holding ? `${router.kind}, holding` : router.kind,
      style: router.problem !== undefined || router.holding ? 'warn' : 'plain',
    },
    { text: router.write ? formatAddress(router.write) : '' },
    { text: router.read ? formatAddress(router.read) : '' },
    { text: String(router.term), style: router.term < service.term ? 'warn' : 'plain' },
    { text: String(router.connections.write) },
    { text: String(router.connections.read) },
    { text: String(router.connections.held), style: router.connections.held > 0 ? 'warn' : 'plain' },
    { text: String(router.cutTotal) },
    { text: String(router.refusedTotal) },
  ]);
  return tableLines(columns, rows, paint, width);
}

/** Cells of members that read differently now. */
export function changedCells(before: ClusterStatus, after: ClusterStatus): string[] {
  return after.services.flatMap((service) => {
    const earlier = before.services.find((each) => each.service === service.service);
    return service.members.flatMap((member) => {
      const old = earlier?.members.find((each) => each.node === member.node);
      const different = memberColumns.filter(
        ({ key, text }) => !restless.includes(key) && (old === undefined || text(old) !== text(member)),
      );
      return different.map(({ key }) => cellKey(service.service, member.node, key));
    });
  });
}
