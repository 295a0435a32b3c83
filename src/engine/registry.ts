import type { Account } from '../core/processes.ts';
import type { Recovered, RecoveryTarget } from '../core/recovery-target.ts';
import type { MachineRuntime } from '../core/runtime.ts';
import type { PostgresConfig } from './adapters/postgres/config.ts';
import type { ProcessConfig } from './adapters/process/config.ts';
import type { Engine, EngineContext } from './engine.ts';

/** What a service is, as its one key in holdfast.yaml says. */
export type EngineConfig = { readonly postgres: PostgresConfig } | { readonly process: ProcessConfig };

/** Opens one member of a service; loads only what its kind needs. Touches no data. @throws ENGINE_UNSUITABLE */
export async function openEngine(config: EngineConfig, context: EngineContext, runtime: MachineRuntime): Promise<Engine> {
  if ('postgres' in config) return await (await import('./adapters/postgres/index.ts')).open(config.postgres, context, runtime);
  return await (await import('./adapters/process/index.ts')).open(config.process, context, runtime);
}

export interface RecoverOptions {
  /** Directory of the PostgreSQL programs; the embedded ones when left out. */
  readonly bin?: string | undefined;
  /** Whom the server runs as, and whom the data are given to. */
  readonly account: Account | undefined;
  /** Of a time: everything that was committed by then is there, so that where WAL ends earlier, its end is that point. */
  readonly target: RecoveryTarget;
  /** Recovery goes along this one. */
  readonly timeline: number;
  /** A timeline of its own gets a higher number than this one, as another history is known by it. Default: `timeline`. */
  readonly timelineMax?: number;
  /** What becomes of the data. Default: a primary's; a replica's replay all that there is, and begin no timeline of their own. */
  readonly become?: 'primary' | 'replica';
  /** A file of WAL, or of a timeline's history, by its name; undefined when there is none. */
  readonly fetch: (name: string) => Promise<Uint8Array | undefined>;
  readonly onProgress?: (progress: { readonly segments: number; readonly lsn: bigint | undefined }) => void;
  readonly signal: AbortSignal;
}

export interface RecoveryCheck extends Pick<RecoverOptions, 'bin' | 'account'> {
  /** Of the server whose data they are: `17.10`. */
  readonly version: string;
}

/**
 * Whether data of a version can be recovered here, before they are restored into a directory: by these programs, and with no server on what it holds.
 * @throws ENGINE_UNSUITABLE, ENGINE_VERSION_MISMATCH, ENGINE_DATA_IN_USE
 */
export async function checkRecovery(data: string, runtime: MachineRuntime, options: RecoveryCheck): Promise<void> {
  await (await import('./adapters/postgres/recover.ts')).check(data, runtime, options);
}

/**
 * Brings restored data of PostgreSQL to a point: the server replays WAL up to there by itself, on a socket that nobody else reaches, begins a
 * timeline of its own unless they become a replica's, and is stopped. What the data were configured to do meanwhile (listen, follow, archive) is overruled. Cut off, the
 * same call goes on.
 * @throws ENGINE_UNSUITABLE (programs of another version), ENGINE_DATA_IN_USE, ENGINE_TARGET_NOT_REACHED, ENGINE_NOT_STARTED, ENGINE_TABLESPACE_IN_USE (WAL makes one
 *   where another database has its own), and what `fetch` throws
 */
export async function recoverData(data: string, runtime: MachineRuntime, options: RecoverOptions): Promise<Recovered> {
  return await (await import('./adapters/postgres/recover.ts')).recover(data, runtime, options);
}
