import type { ClusterStatus, ServiceStatus } from '../../api/schema.ts';

/** What happened between two looks at a cluster, as sentences, the most important first. */
export function describeChanges(before: ClusterStatus, after: ClusterStatus): string[] {
  const store =
    before.coordination.reachable === after.coordination.reachable
      ? []
      : [`coordination ${after.coordination.reachable ? 'answers again' : 'does not answer'}`];
  const services = after.services.flatMap((service) => {
    const old = before.services.find((each) => each.service === service.service);
    return (old === undefined ? ['appeared'] : serviceChanges(old, service)).map((change) => `${service.service}: ${change}`);
  });
  const gone = before.services
    .filter((old) => !after.services.some((each) => each.service === old.service))
    .map((old) => `${old.service}: is gone`);
  return [...store, ...services, ...gone];
}

function serviceChanges(before: ServiceStatus, after: ServiceStatus): string[] {
  const changes: string[] = [];
  if (before.leader !== after.leader) changes.push(leaderChange(before, after));
  else if (before.term !== after.term) changes.push(`term ${before.term} → ${after.term}`);
  if (before.paused !== after.paused) changes.push(after.paused ? 'paused' : 'resumed');
  if (quorumOf(before) !== quorumOf(after)) changes.push(`commits wait for ${quorumOf(after)}`);
  return [...changes, ...memberChanges(before, after), ...warningChanges(before, after)];
}

function leaderChange(before: ServiceStatus, after: ServiceStatus): string {
  if (after.leader === null) return `${before.leader} does not lead any more`;
  return `${after.leader} leads, term ${after.term}${before.leader === null ? '' : `, instead of ${before.leader}`}`;
}

function quorumOf({ roster }: ServiceStatus): string {
  return roster.map(({ k, voters }) => (k === 0 ? 'nobody' : `${k} of ${voters.join(', ')}`)).join(' and ') || 'nobody';
}

function memberChanges(before: ServiceStatus, after: ServiceStatus): string[] {
  const changed = after.members.flatMap((member) => {
    const old = before.members.find((each) => each.node === member.node);
    if (old === undefined) return [`${member.node} appeared, ${member.state}`];
    const parts = (['role', 'state', 'sync', 'timeline'] as const)
      .filter((field) => old[field] !== member[field] && member[field] !== undefined)
      .map((field) => (field === 'timeline' ? `timeline ${member.timeline}` : field === 'sync' ? `sync ${member.sync}` : member[field]));
    return parts.length === 0 ? [] : [`${member.node} is ${parts.join(', ')}`];
  });
  const gone = before.members.filter((old) => !after.members.some((each) => each.node === old.node)).map((old) => `${old.node} is gone`);
  return [...changed, ...gone];
}

/** Numbers in a warning move; a warning is new when its words are. */
function warningChanges(before: ServiceStatus, after: ServiceStatus): string[] {
  const words = (warning: string): string => warning.replaceAll(/\d+(\.\d+)?/g, '#');
  const known = new Set(before.warnings.map(words));
  return after.warnings.filter((warning) => !known.has(words(warning)));
}
