import { findBases, planRecovery, restoreBase, tablespacesOf, WalFiles, type RecoveryPlan } from '../../backup/index.ts';
import type { CopiesConfig } from '../../config/schema.ts';
import type { DataCopies, RestoredBase, TablespacePlace } from '../../core/data-copies.ts';
import { HoldfastError } from '../../core/errors.ts';
import { parseSegmentName } from '../../core/lsn.ts';
import type { RecoveryTarget } from '../../core/recovery-target.ts';
import type { Runtime } from '../../core/runtime.ts';
import { openCopies, type Copies } from './open-copies.ts';

export interface CopiesOrder {
  readonly service: string;
  readonly target: RecoveryTarget;
  /** The newest of which anything is stored when left out. */
  readonly timeline?: number;
  /** The newest stored that is not above this one: that of a leader whose own is not stored yet. */
  readonly timelineMax?: number;
  /** Of several databases that had this name. */
  readonly systemId?: string;
  /** Another location than the one that the service's copies are made to, such as a part of it that is left. */
  readonly from?: string;
  readonly signal: AbortSignal;
}

/** How long what is stored now passes for what is stored. */
const listedMsMax = 10_000;

/**
 * A service's copies, with the way to a point planned and nothing written.
 * @throws BACKUP_…, STORAGE_…
 */
export async function openDataCopies(config: CopiesConfig, runtime: Runtime, order: CopiesOrder): Promise<PlannedCopies> {
  await using stack = new AsyncDisposableStack();
  const { service, systemId, signal } = order;
  const copies = stack.use(await openCopies(config, locationOf(config, order), runtime, { startsThreads: true, signal }));
  const bases = await findBases(copies.repository, { service, ...(systemId === undefined ? {} : { systemId }), signal });
  const { facts } = bases[0]!;
  const wal = await WalFiles.open(
    { repository: copies.repository, service, systemId: facts.systemId, segmentBytes: facts.segmentBytes },
    { signal },
  );
  const timeline = order.timeline ?? newestUpTo(wal, order.timelineMax);
  const plan = await planRecovery(bases, wal, { service, target: order.target, ...(timeline === undefined ? {} : { timeline }), signal });
  const timelineMax = Math.max(plan.timeline, wal.newestTimeline ?? 0, ...bases.map(({ facts: { start } }) => start.timeline));
  const tablespaces = await tablespacesOf(copies.repository, await copies.repository.snapshot(plan.base.snapshotId, { signal }), {
    signal,
  });
  return new PlannedCopies({ copies, plan, timelineMax, tablespaces, wal, runtime, stack: stack.move() });
}

interface PlannedParts {
  readonly copies: Copies;
  readonly plan: RecoveryPlan;
  readonly timelineMax: number;
  readonly tablespaces: readonly TablespacePlace[];
  readonly wal: WalFiles;
  readonly runtime: Runtime;
  readonly stack: AsyncDisposableStack;
}

export class PlannedCopies implements DataCopies {
  readonly plan: RecoveryPlan;
  readonly timelineMax: number;
  readonly tablespaces: readonly TablespacePlace[];
  readonly #parts: PlannedParts;
  #listedMs: number;

  constructor(parts: PlannedParts) {
    this.plan = parts.plan;
    this.timelineMax = parts.timelineMax;
    this.tablespaces = parts.tablespaces;
    this.#parts = parts;
    this.#listedMs = parts.runtime.clock.monotonicMs();
  }

  get systemId(): string {
    return this.plan.base.facts.systemId;
  }

  get version(): string {
    return this.plan.base.facts.version;
  }

  get timeline(): number {
    return this.plan.timeline;
  }

  get reached(): RecoveryPlan['reached'] {
    return this.plan.reached;
  }

  async restore(
    { directory, tablespaceAt }: { readonly directory: string; readonly tablespaceAt?: (tablespace: TablespacePlace) => string },
    {
      signal,
      overwrite = true,
      onProgress,
    }: {
      readonly signal: AbortSignal;
      readonly overwrite?: boolean;
      readonly onProgress?: (progress: { readonly writtenBytes: number; readonly totalBytes: number }) => void;
    },
  ): Promise<RestoredBase> {
    const { repository } = this.#parts.copies;
    const snapshot = await repository.snapshot(this.plan.base.snapshotId, { signal });
    return await restoreBase(repository, snapshot, {
      directory,
      overwrite,
      ...(tablespaceAt && { tablespaceAt }),
      ...(onProgress && { onProgress }),
      signal,
    });
  }

  /** What is stored meanwhile is found as well: recovery that takes long comes close to the present. */
  async wal(name: string, { signal }: { readonly signal: AbortSignal }): Promise<Uint8Array | undefined> {
    const { wal, runtime } = this.#parts;
    if (runtime.clock.monotonicMs() - this.#listedMs > listedMsMax) {
      await wal.refresh({ signal });
      this.#listedMs = runtime.clock.monotonicMs();
    }
    return this.#upToFork(name, await wal.file(name, { signal }));
  }

  /**
   * Where nothing is stored yet of the timeline that recovery goes along, PostgreSQL takes the segment of its ancestor, and would replay what that
   * has beyond the fork.
   */
  #upToFork(name: string, bytes: Uint8Array | undefined): Uint8Array | undefined {
    const segment = parseSegmentName(name, BigInt(this.plan.base.facts.segmentBytes));
    const fork = this.#parts.wal.historyOf(this.timeline).ancestors.find(({ timeline }) => timeline === segment?.timeline)?.end;
    if (bytes === undefined || segment === undefined || fork === undefined || fork >= segment.lsn + BigInt(bytes.length)) return bytes;
    return Uint8Array.from(bytes).fill(0, Math.max(0, Number(fork - segment.lsn)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.stack.disposeAsync();
  }
}

function newestUpTo(wal: WalFiles, timelineMax: number | undefined): number | undefined {
  const newest = wal.newestTimeline;
  if (timelineMax === undefined || newest === undefined || newest <= timelineMax) return undefined;
  return timelineMax;
}

function locationOf(config: CopiesConfig, { service, from }: CopiesOrder): string {
  const settings = config.services[service];
  const location = from ?? settings?.backup?.to;
  if (location !== undefined) return location;
  throw new HoldfastError(
    'BACKUP_NO_BASE',
    settings === undefined ? `there is no service '${service}'` : `${service} has no backup in this configuration`,
    {
      hint: `There are: ${Object.keys(config.services).join(', ') || 'none'}. Name the location of the copies (--from), or give the service a backup.`,
    },
  );
}
