import { jitterOf, Schedule, type Journal, type OpenedRepository } from '../../backup/index.ts';
import type { ServiceConfig } from '../../config/service.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import type { CoordinationStore } from '../../coordination/store.ts';
import { hasCode } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { Member } from '../../failover/member.ts';
import type { Location, Quota } from '../../storage/index.ts';

/** What the care of one service's copies stands on, whoever leads it. */
export interface KeeperParts {
  readonly node: string;
  readonly config: HoldfastConfig;
  readonly record: (what: string, data: Record<string, unknown>) => void;
  readonly runtime: Runtime;
  /** Where those who might do the same at once settle who does it. */
  readonly store: CoordinationStore;
  /** Asked before a backup is begun. */
  readonly quota: Quota;
}

/** What those share who care for one service's copies while this node leads it. */
export interface CopiesTerm extends KeeperParts {
  readonly member: Member;
  readonly backup: NonNullable<ServiceConfig['backup']>;
  readonly location: Location;
  readonly repository: OpenedRepository;
  readonly journal: Journal | undefined;
  /** How far the journal may be behind before somebody is told. */
  readonly lagMsMax: number;
}

/** How often is looked whether there is anything to do that waits for an event. */
export const lookMs = 500;
/** After a failure, and between looks whether something is due. */
export const pauseMs = 10_000;

/** Tells a failure once, not at every attempt. */
export class Complaint {
  readonly #record: KeeperParts['record'];
  readonly #what: string;
  #told = '';

  constructor(record: KeeperParts['record'], what: string) {
    this.#record = record;
    this.#what = what;
  }

  /** Empty when all is well. */
  get message(): string {
    return this.#told;
  }

  tell(message: string): void {
    if (message !== this.#told) this.#record(this.#what, { error: message });
    this.#told = message;
  }

  settle(): void {
    this.#told = '';
  }
}

/** Somebody else is at work on the repository: it is tried again, and no failure. */
export function isTaken(error: unknown): boolean {
  return hasCode(error, 'BACKUP_LOCKED') || hasCode(error, 'BACKUP_WRITER_ACTIVE');
}

/** When a service is to be copied; the same on every node. */
export function scheduleOf({ cluster, services }: HoldfastConfig, service: string): Schedule {
  const { jitter, schedule } = services[service]!.backup!;
  return new Schedule(schedule, jitterOf(`${cluster}/${service}`, jitter));
}

/** Those of `keep` that are given. */
export function definedRules(keep: CopiesTerm['backup']['keep']): Record<string, number> {
  return Object.fromEntries(Object.entries(keep ?? {}).filter((rule): rule is [string, number] => rule[1] !== undefined));
}
