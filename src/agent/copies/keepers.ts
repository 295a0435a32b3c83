import type { MachineRuntime } from '../../core/runtime.ts';
import type { Member } from '../../failover/member.ts';
import type { CopiesState } from '../../failover/messages.ts';
import { Quota } from '../../storage/index.ts';
import { CopiesKeeper } from './keeper.ts';
import { SourceKeeper } from './source-keeper.ts';
import type { KeeperParts } from './term.ts';

/** Whoever makes copies of a service. */
export interface KeepsCopies extends AsyncDisposable {
  /** How they are; undefined while another node is the one to say. */
  state(): CopiesState | undefined;
  /** To be called when this node may have begun to lead: some should not be late. */
  wake?(): void;
}

export interface KeepersParts extends Omit<KeeperParts, 'quota' | 'record' | 'runtime'> {
  readonly runtime: MachineRuntime;
  readonly record: (service: string, what: string, data: Record<string, unknown>) => void;
  /** Undefined for services without a member here: this node only routes to them, or they are a directory. */
  readonly memberOf: (service: string) => Member | undefined;
}

/** Begins to care for the copies of all services of this node that have a backup. */
export function keepCopies(parts: KeepersParts): KeepsCopies[] {
  const quota = new Quota(parts.config.locations, parts.runtime);
  return Object.entries(parts.config.services).flatMap(([service, { backup, files, process }]): KeepsCopies[] => {
    if (backup === undefined) return [];
    const own = { ...parts, quota, service, record: (what: string, data: Record<string, unknown>) => parts.record(service, what, data) };
    if (files !== undefined) return [new SourceKeeper({ ...own, leads: () => true })];
    const member = parts.memberOf(service);
    if (member === undefined) return [];
    return [process === undefined ? new CopiesKeeper(member, own) : new SourceKeeper({ ...own, leads: () => member.servingTerm > 0 })];
  });
}
