import type { Snapshot } from '../repository.ts';

/** By what snapshots are told apart before rules are applied to each group. */
export interface GroupBy {
  readonly host?: boolean;
  readonly paths?: boolean;
  readonly tags?: boolean;
}

/** What the members of a group share; empty where it was not asked for. */
export interface GroupKey {
  readonly host: string;
  readonly paths: readonly string[];
  readonly tags: readonly string[];
}

/** In the order of their first members; within a group as given. */
export function groupSnapshots(snapshots: readonly Snapshot[], by: GroupBy): { key: GroupKey; snapshots: Snapshot[] }[] {
  const groups = new Map<string, { key: GroupKey; snapshots: Snapshot[] }>();
  for (const snapshot of snapshots) {
    const key: GroupKey = {
      host: by.host === true ? snapshot.hostname : '',
      paths: by.paths === true ? snapshot.paths.toSorted() : [],
      tags: by.tags === true ? snapshot.tags.toSorted() : [],
    };
    const text = JSON.stringify(key);
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { key, snapshots: [snapshot] });
    else group.snapshots.push(snapshot);
  }
  return [...groups.values()];
}

/** Whether a snapshot has every tag of a list; an empty tag stands for "none at all". */
export function hasAllTags(snapshot: Snapshot, tags: readonly string[]): boolean {
  return tags.every((tag) => (tag === '' && snapshot.tags.length === 0) || snapshot.tags.includes(tag));
}

/** Which snapshots a command is about; an empty list lets all through. As restic's --host, --path, --tag. */
export interface SnapshotFilter {
  readonly hosts?: readonly string[];
  /** A snapshot must have all of them. */
  readonly paths?: readonly string[];
  /** A snapshot must have all tags of one of these lists. */
  readonly tags?: readonly (readonly string[])[];
}

export function matchesFilter(snapshot: Snapshot, filter: SnapshotFilter): boolean {
  const { hosts = [], paths = [], tags = [] } = filter;
  return (
    (hosts.length === 0 || hosts.includes(snapshot.hostname)) &&
    paths.every((path) => snapshot.paths.includes(path)) &&
    (tags.length === 0 || tags.some((list) => hasAllTags(snapshot, list)))
  );
}
