import { matchesEnd, parsePattern, partsOf } from '../patterns/pattern.ts';
import type { Repository, Snapshot } from '../repository.ts';
import type { TreeNode } from '../tree/node.ts';
import { timeToMs } from '../tree/time.ts';
import { joinTreePath, walkTree } from './walk.ts';

export interface FindOptions {
  /** As those of excludes: a name, or parts of a path. One must match the whole end of a path. */
  readonly patterns: readonly string[];
  readonly ignoreCase?: boolean;
  /** By the time of the last change of content, milliseconds since 1970-01-01 UTC. */
  readonly modifiedFromMs?: number;
  readonly modifiedUntilMs?: number;
  readonly signal: AbortSignal;
}

export interface Match {
  readonly snapshot: Snapshot;
  readonly path: string;
  readonly node: TreeNode;
}

/** What of some snapshots matches; each by itself, youngest as the caller orders them. @throws BACKUP_PATTERN_INVALID */
export async function* findInSnapshots(
  repository: Repository,
  snapshots: Iterable<Snapshot>,
  options: FindOptions,
): AsyncGenerator<Match, void, undefined> {
  const patterns = options.patterns.map((text) => parsePattern(text, { ignoreCase: options.ignoreCase ?? false }));
  const { modifiedFromMs = -Infinity, modifiedUntilMs = Infinity, signal } = options;
  for (const snapshot of snapshots) {
    for await (const { phase, path: directory, nodes } of walkTree(repository, snapshot.tree, { signal })) {
      if (phase === 'leave') continue;
      const above = partsOf(directory);
      for (const node of nodes) {
        const parts = [...above, node.name];
        if (!patterns.some((pattern) => matchesEnd(pattern, parts))) continue;
        const modifiedMs = timeToMs(node.mtime);
        if (modifiedMs < modifiedFromMs || modifiedMs > modifiedUntilMs) continue;
        yield { snapshot, path: joinTreePath(directory, node.name), node };
      }
    }
  }
}
