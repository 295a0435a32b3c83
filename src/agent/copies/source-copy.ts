import { backupFiles, backupStream, type OpenedRepository, type Snapshot } from '../../backup/index.ts';
import type { ServiceConfig } from '../../config/service.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import { streamOutput } from '../../runtime/index.ts';

/** The tag by which a service's copies of files or output are known. */
const kind = 'service-copy';
/** Of what a hook says, as much is told. */
const complaintLengthMax = 500;

type Backup = NonNullable<ServiceConfig['backup']>;

export interface SourceCopyOrder {
  readonly service: string;
  readonly node: string;
  readonly backup: Backup;
  /** Of a service that is a directory. */
  readonly path: string | undefined;
  readonly signal: AbortSignal;
}

export interface SourceCopy {
  readonly snapshot: Snapshot;
  readonly readBytes: number;
  readonly storedBytes: number;
  /** Files that could not be read, and are missing in it. */
  readonly unread: number;
  /** The first of them. */
  readonly problem: string | undefined;
}

/** Copies of a service, newest last; with `node`, those of that node's files. */
export async function findSourceCopies(
  repository: OpenedRepository,
  { service, node, signal }: { readonly service: string; readonly node?: string; readonly signal: AbortSignal },
): Promise<Snapshot[]> {
  const found: Snapshot[] = [];
  for await (const snapshot of repository.readableSnapshots({ signal })) {
    const isIt = snapshot.tags.includes(kind) && snapshot.tags.includes(`service=${service}`);
    if (isIt && (node === undefined || snapshot.hostname === node)) found.push(snapshot);
  }
  return found.toSorted((a, b) => a.timeMs - b.timeMs);
}

/**
 * Copies the files of a service, or the output of a program, with what is to be run before and after. `after` runs whatever came of it.
 * @throws BACKUP_HOOK_FAILED, PROCESS_…, BACKUP_…, STORAGE_…
 */
export async function makeSourceCopy(repository: OpenedRepository, runtime: MachineRuntime, order: SourceCopyOrder): Promise<SourceCopy> {
  const { before, after } = order.backup;
  try {
    if (before !== undefined) await runHook('before', before, runtime, order);
    return await copy(repository, runtime, order);
  } finally {
    // Also when the work was called off: what `before` has stopped must run again.
    if (after !== undefined) await runHook('after', after, runtime, { ...order, signal: new AbortController().signal });
  }
}

async function copy(repository: OpenedRepository, runtime: MachineRuntime, order: SourceCopyOrder): Promise<SourceCopy> {
  const { backup, node, path, service, signal } = order;
  const tags = [kind, `service=${service}`];
  const { command } = backup;
  const result =
    command === undefined
      ? await backupFiles(repository, runtime, {
          paths: path === undefined ? backup.paths! : [path],
          select: { exclude: backup.exclude },
          host: node,
          tags,
          signal,
        })
      : await backupStream(
          repository,
          runtime,
          streamOutput(command.run[0]!, command.run.slice(1), { env: environmentOf(order), timeoutMs: command.within, signal }),
          { name: `/${command.name}`, host: node, tags, signal },
        );
  const { summary, issues } = result;
  const unread = issues.filter((issue) => issue.kind === 'unreadable');
  return {
    snapshot: result.snapshot!,
    readBytes: summary.processedBytes,
    storedBytes: summary.storedBytes,
    unread: unread.length,
    problem: unread[0]?.message,
  };
}

async function runHook(
  which: 'before' | 'after',
  { run, within }: NonNullable<Backup['before']>,
  runtime: MachineRuntime,
  order: SourceCopyOrder,
): Promise<void> {
  const [binary = '', ...args] = run;
  const failed = (why: string, cause?: unknown): HoldfastError =>
    new HoldfastError('BACKUP_HOOK_FAILED', `${binary}, to be run ${which} ${order.service} is copied, failed: ${why}`, {
      cause,
      retryable: true,
      hint: which === 'before' ? 'Nothing was copied.' : 'What was copied is there; see whether the service runs as it should.',
    });
  const options = { env: environmentOf(order), timeoutMs: within, signal: order.signal };
  const { code, stderr } = await runtime.processes.run(binary, args, options).catch((error: unknown) => {
    order.signal.throwIfAborted();
    throw failed(messageOf(error), error);
  });
  if (code !== 0) throw failed(`it ended with ${code}: ${stderr.trim().slice(0, complaintLengthMax)}`);
}

function environmentOf({ service, node }: SourceCopyOrder): Record<string, string> {
  return { HOLDFAST_SERVICE: service, HOLDFAST_NODE: node };
}
