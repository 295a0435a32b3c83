import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { Account } from '../../../core/processes.ts';
import type { EngineContext } from '../../engine.ts';

/** Where one member keeps what. All absolute and free of symbolic links. */
export interface Places {
  readonly data: string;
  /** Sockets and the password file, for the account that the server runs as. */
  readonly run: string;
  /** The server's log. */
  readonly log: string;
  readonly credentials: string;
  /** The plan of a rejoin that is not finished. */
  readonly rejoin: string;
  /** Tablespaces of a copy that is being put in place. */
  readonly tablespaces: string;
}

/** sun_path of unix(7), less the terminating zero and the longest socket name, '/.s.PGSQL.65535.lock'. */
const runPathBytesMax = 107 - '/.s.PGSQL.65535.lock'.length;

/** @throws ENGINE_UNSUITABLE */
export async function openPlaces(data: string, context: EngineContext): Promise<Places> {
  return {
    data: await withoutLinks(data),
    run: await openRunDirectory(context),
    log: join(context.stateDir, 'postgres.log'),
    credentials: join(context.stateDir, 'postgres-credentials.json'),
    rejoin: join(context.stateDir, 'postgres-rejoin.json'),
    tablespaces: join(context.stateDir, 'postgres-tablespaces.json'),
  };
}

/** The path with all links resolved, of which the last parts need not exist yet: /proc shows processes' directories in this form. */
async function withoutLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
    return join(await withoutLinks(dirname(path)), basename(path));
  }
}

async function openRunDirectory(context: EngineContext): Promise<string> {
  const own = join(context.stateDir, 'run');
  // Another account can not come through our state directory.
  if (context.account === undefined && Buffer.byteLength(own) <= runPathBytesMax) return await openOwnedDirectory(own, 0o700, undefined);
  const member = createHash('sha256')
    .update(await realpath(context.stateDir))
    .digest('hex')
    .slice(0, 16);
  const base = await openBaseDirectory(['/run/holdfast', join(tmpdir(), `holdfast-${userId()}`)]);
  return await openOwnedDirectory(join(base, member), 0o700, context.account);
}

/** Makes it again if it went: it is where the system keeps what does not outlast a boot, and an earlier agent may have tidied it away. */
export async function keepRunDirectory(places: Places, account: Account | undefined): Promise<void> {
  await mkdir(dirname(places.run), { mode: 0o755, recursive: true });
  await openOwnedDirectory(places.run, 0o700, account);
}

/** A directory for what can be made again, which every account may enter: copies of programs. */
export async function openCacheDirectory(): Promise<string> {
  const candidates =
    userId() === 0 ? ['/var/cache/holdfast'] : [join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'holdfast')];
  return await openBaseDirectory([...candidates, join(tmpdir(), `holdfast-${userId()}`)]);
}

/** The first that can be made. Its name may be in a directory that anyone may write, so it must prove to be ours alone to write. */
async function openBaseDirectory(candidates: readonly string[]): Promise<string> {
  const failures: string[] = [];
  for (const candidate of candidates) {
    try {
      return await openOwnedDirectory(candidate, 0o755, undefined);
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  throw new HoldfastError('ENGINE_UNSUITABLE', `no directory for sockets and programs can be made: ${failures.join('; ')}`, {
    hint: `Make '${candidates[0]}' and give it to the user that Holdfast runs as.`,
  });
}

async function openOwnedDirectory(path: string, mode: number, account: Account | undefined): Promise<string> {
  await mkdir(path, { mode, recursive: mode === 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(path);
  if (!found.isDirectory() || (found.uid !== userId() && found.uid !== account?.uid))
    throw new Error(`'${path}' is not a directory of ours`);
  if (account !== undefined) await chown(path, account.uid, account.gid);
  await chmod(path, mode);
  return path;
}

/**
 * Whether an account can get to a directory that is to be made or used.
 * @throws ENGINE_UNSUITABLE naming the first directory on the way that keeps it out
 */
export async function requireReachable(path: string, account: Account | undefined): Promise<void> {
  if (account === undefined) return;
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    const found = await stat(directory).catch(() => undefined);
    const bit = found?.uid === account.uid ? 0o100 : found?.gid === account.gid ? 0o010 : 0o001;
    if (found !== undefined && (found.mode & bit) === 0) {
      throw new HoldfastError('ENGINE_UNSUITABLE', `the account ${account.name} can not enter '${directory}' on the way to '${path}'`, {
        hint: `Let it (chmod o+x '${directory}'), or name a directory elsewhere as \`data\`.`,
      });
    }
    if (directory === dirname(directory)) return;
  }
}

function userId(): number {
  return process.getuid?.() ?? 0;
}
