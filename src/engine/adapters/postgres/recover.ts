import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { abortable } from '../../../core/abortable.ts';
import { hasCode, HoldfastError } from '../../../core/errors.ts';
import { formatLsn, parseLsn } from '../../../core/lsn.ts';
import { formatTargetTime, type Recovered, type RecoveryTarget } from '../../../core/recovery-target.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';
import type { RecoverOptions, RecoveryCheck } from '../../registry.ts';
import { openBinaries, requireVersion } from './binaries.ts';
import { makeStandalone } from './configuration.ts';
import { readControlFile } from './control-file.ts';
import { adminRole } from './credentials.ts';
import { writeDurably } from './durable-file.ts';
import { completeForks } from './fork-segments.ts';
import { readHistory } from './history-files.ts';
import { reserveTimelines } from './reservations.ts';
import { readLogSince } from './server-files.ts';
import { Session, hasState } from './session.ts';
import { queryTimeoutMs } from './sessions.ts';
import { TablespaceFence } from './tablespace-fence.ts';
import { WalDesk } from './wal-desk.ts';
import { summaryVersionMin } from './wal-summaries.ts';

const pollMs = 50;
/** A name for the socket: nobody else's server has its socket in our directory. */
const port = 5432;
const stopMsMax = 600_000;
/** How often a replica looks for WAL again where there is no more. */
const retryMs = 100;
/** So often in a row it asks for the same segment when it has replayed all; at its start it may ask twice. */
const askedAgainMax = 4;
/** So often before it is consistent: then it never will be. */
const inconsistentMax = 50;

/** See `checkRecovery`. */
export async function check(data: string, runtime: MachineRuntime, { bin, account, version }: RecoveryCheck): Promise<void> {
  requireVersion(await openBinaries(bin, account, runtime.processes), version);
  refuseRunning(data, runtime);
}

/** See `recoverData`. */
export async function recover(data: string, runtime: MachineRuntime, options: RecoverOptions): Promise<Recovered> {
  const beganMs = runtime.clock.monotonicMs();
  try {
    return await replay(data, runtime, options);
  } catch (error) {
    // PostgreSQL knows that it is there only when it meets a later transaction.
    if (options.target.kind !== 'time' || !hasCode(error, 'ENGINE_TARGET_NOT_REACHED')) throw error;
    const recovered = await replay(data, runtime, { ...options, target: { kind: 'latest' } });
    return { ...recovered, tookMs: runtime.clock.monotonicMs() - beganMs };
  }
}

async function replay(data: string, runtime: MachineRuntime, options: RecoverOptions): Promise<Recovered> {
  const { account, signal } = options;
  const beganMs = runtime.clock.monotonicMs();
  const binaries = await openBinaries(options.bin, account, runtime.processes);
  const { segmentBytes } = await readControlFile(data);
  refuseRunning(data, runtime);
  // Of the directory itself a snapshot says nothing.
  if (account !== undefined) await chown(data, account.uid, account.gid);
  await chmod(data, 0o700);
  await makeStandalone(data, account);
  await markRecovery(data, options);
  // Short, as a socket's path may have 107 bytes; without a character that a shell would take for something else.
  const scratch = await mkdtemp(join(tmpdir(), 'hf-recover-'));
  try {
    if (account !== undefined) await chown(scratch, account.uid, account.gid);
    await using fence = new TablespaceFence(data, { account, segmentBytes, toTheEnd: options.target.kind === 'latest' });
    await using desk = await WalDesk.open(join(scratch, 'wal'), {
      account,
      fetch: options.fetch,
      pass: (name, bytes) => fence.pass(name, bytes),
      clock: runtime.clock,
      segmentBytes: Number(segmentBytes),
    });
    const hba = join(scratch, 'hba.conf');
    await writeFile(hba, 'local all all trust\n', { mode: 0o644 });
    const log = join(scratch, 'log');
    const settings = {
      ...settingsFor(options),
      // Between two tries it would hold up the end of this server.
      ...(binaries.version.major >= summaryVersionMin && { summarize_wal: 'off' }),
      restore_command: desk.command,
      hba_file: hba,
      unix_socket_directories: scratch,
    };
    const child = await runtime.processes.startDetached(
      binaries.program('postgres'),
      ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { cwd: data, logFile: log, ...(account && { account }) },
    );
    let exited = false;
    const ended = child.exited.then(() => (exited = true));
    const failure = async (): Promise<never> => {
      if (desk.failure instanceof Error) throw desk.failure;
      if (fence.refusal !== undefined) throw fence.refusal;
      throw failed(await readLogSince(log, 0), options.target);
    };
    const isDone = (seen: Seen | undefined): seen is Seen & { lsn: bigint } => {
      if (options.become !== 'replica') return seen?.recovering === false && seen.lsn !== undefined;
      if (seen === undefined && desk.askedAgain >= inconsistentMax) throw endedEarly('the data were consistent');
      return seen?.lsn !== undefined && desk.askedAgain >= askedAgainMax;
    };
    try {
      for (;;) {
        if (exited) return await failure();
        const seen = await look(scratch, runtime, signal).catch((error: unknown) => {
          if (signal.aborted) throw error;
          // 57P03: it does not take connections yet.
          if (hasState(error, '57P03') || !exited) return undefined;
          throw error;
        });
        options.onProgress?.({ segments: desk.given, lsn: seen?.lsn });
        if (isDone(seen)) {
          runtime.processes.kill(child.identity, 'SIGINT');
          await untilEnded(ended, runtime, signal);
          const { timeline, minRecoveryTimeline } = await readControlFile(data);
          const history = await readHistory(data, Math.max(timeline, minRecoveryTimeline));
          if (history !== undefined) await completeForks(data, history, { segmentBytes, account });
          return {
            lsn: seen.lsn,
            timeline,
            lastTransactionMs: seen.lastTransactionMs,
            segments: desk.given,
            tookMs: runtime.clock.monotonicMs() - beganMs,
          };
        }
        await runtime.clock.sleep(pollMs, signal);
      }
    } finally {
      if (!exited) {
        runtime.processes.kill(child.identity, 'SIGQUIT');
        await ended;
      }
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Its last checkpoint may take long, but not for ever. */
async function untilEnded(ended: Promise<unknown>, runtime: MachineRuntime, signal: AbortSignal): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  using _timer = runtime.clock.after(stopMsMax, resolve);
  await abortable(Promise.race([ended, late]), signal);
}

function refuseRunning(data: string, runtime: MachineRuntime): void {
  const [found] = runtime.processes.withWorkingDirectory(data);
  if (found === undefined) return;
  throw new HoldfastError('ENGINE_DATA_IN_USE', `process ${found.pid} works in '${data}'`, {
    hint: 'A server runs there, perhaps left by a recovery that was cut off: stop it first.',
  });
}

/** Which of the two signal files is there decides what the server becomes at the end; both would be a replica. */
async function markRecovery(data: string, { become, account, timeline, timelineMax = timeline }: RecoverOptions): Promise<void> {
  const [mark, other] =
    become === 'replica' ? (['standby.signal', 'recovery.signal'] as const) : (['recovery.signal', 'standby.signal'] as const);
  await rm(join(data, other), { force: true });
  await writeDurably(join(data, mark), '', { account });
  if (become !== 'replica') await reserveTimelines(data, timelineMax + 1, account);
}

function settingsFor({ target, timeline }: RecoverOptions): Record<string, string | number> {
  return {
    listen_addresses: '',
    port,
    ssl: 'off',
    archive_mode: 'off',
    synchronous_standby_names: '',
    primary_conninfo: '',
    primary_slot_name: '',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_min_messages: 'warning',
    hot_standby: 'on',
    wal_retrieve_retry_interval: retryMs,
    cluster_name: 'holdfast-recovery',
    recovery_target_timeline: timeline,
    recovery_target_action: 'promote',
    recovery_target_inclusive: 'on',
    ...targetSetting(target),
  };
}

function targetSetting(target: RecoveryTarget): Record<string, string> {
  switch (target.kind) {
    case 'latest':
      return {};
    case 'time':
      return { recovery_target_time: formatTargetTime(target.timeMs) };
    case 'lsn':
      return { recovery_target_lsn: formatLsn(target.lsn) };
    case 'name':
      return { recovery_target_name: target.name };
  }
}

interface Seen {
  readonly recovering: boolean;
  readonly lsn: bigint | undefined;
  readonly lastTransactionMs: number | undefined;
}

async function look(scratch: string, runtime: MachineRuntime, signal: AbortSignal): Promise<Seen> {
  const target = { host: scratch, port, user: adminRole, password: '', database: 'postgres', applicationName: 'holdfast recovery' };
  await using session = await Session.open(target, runtime.clock, { timeoutMs: queryTimeoutMs, signal });
  const [row] = await session.query(
    `select pg_is_in_recovery() as recovering, pg_last_wal_replay_lsn()::text as lsn,
            extract(epoch from pg_last_xact_replay_timestamp()) * 1000 as last`,
    { timeoutMs: queryTimeoutMs, signal },
  );
  return {
    recovering: row!['recovering'] === true,
    lsn: typeof row!['lsn'] === 'string' ? parseLsn(row!['lsn']) : undefined,
    lastTransactionMs: row!['last'] === null ? undefined : Number(row!['last']),
  };
}

/** PostgreSQL's own words, the last of those that matter. */
function failed(log: string, target: RecoveryTarget): HoldfastError {
  const fatal = log
    .split('\n')
    .findLast((line) => /(FATAL|PANIC):/.test(line))
    ?.replace(/^.*?(FATAL|PANIC):\s*/, '');
  const said = fatal ?? log.trimEnd().split('\n').at(-1);
  if (/recovery ended before configured recovery target was reached/.test(log)) {
    return endedEarly(`the ${target.kind === 'name' ? 'restore point' : 'target'} was reached`);
  }
  return new HoldfastError(
    'ENGINE_NOT_STARTED',
    `PostgreSQL ended while it recovered: ${said === undefined || said === '' ? 'it said nothing' : said}`,
    {
      hint: 'The data stay where they are. Check that the programs are of the version that the data are of.',
    },
  );
}

function endedEarly(beforeWhat: string): HoldfastError {
  return new HoldfastError('ENGINE_TARGET_NOT_REACHED', `WAL ended before ${beforeWhat}`, {
    hint: 'The data were not opened. Choose an earlier point, or the newest state.',
  });
}
