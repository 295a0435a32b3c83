import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { hashPassword } from '../../api/password-hash.ts';
import { isUserName, parseUsers, type Users } from '../../api/basic-gate.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';

const fileBytesMax = 4 * 1024 * 1024;
/** How long a change of the file may go unnoticed. */
const lookEveryMs = 1_000;
const passwordCharactersMin = 8;

/** The users of a file, read anew when it changes. What can not be read then leaves those who were known. */
export class UsersFile {
  readonly #path: string;
  readonly #runtime: Runtime;
  #users: Users;
  #version: string;
  #lookedMs: number;
  #told = '';

  private constructor(path: string, runtime: Runtime, found: FoundUsers) {
    this.#path = path;
    this.#runtime = runtime;
    this.#users = found.users;
    this.#version = found.version;
    this.#lookedMs = runtime.clock.monotonicMs();
  }

  /** @throws SERVE_USERS_INVALID */
  static async open(path: string, runtime: Runtime): Promise<UsersFile> {
    const found = await readUsers(path);
    if (found.users.size === 0) throw unusable(path, 'nobody is in it');
    return new UsersFile(path, runtime, found);
  }

  async current(): Promise<Users> {
    const { clock, logger } = this.#runtime;
    if (clock.monotonicMs() - this.#lookedMs < lookEveryMs) return this.#users;
    this.#lookedMs = clock.monotonicMs();
    try {
      const isSame = (await versionOf(this.#path)) === this.#version;
      if (isSame) return this.#users;
      const found = await readUsers(this.#path);
      this.#told = '';
      this.#users = found.users;
      this.#version = found.version;
      logger.info('rest.users.read', { users: found.users.size });
    } catch (error) {
      const message = messageOf(error);
      if (message !== this.#told) logger.error('rest.users.unreadable', { message });
      this.#told = message;
    }
    return this.#users;
  }
}

/** Adds a user, or gives one another password. The file is made when there is none. @throws CLI_USAGE, SERVE_USERS_INVALID */
export async function addUser(path: string, name: string, password: string): Promise<void> {
  if (!isUserName(name)) {
    throw new HoldfastError('CLI_USAGE', `"${name}" is no name of a user`, { hint: 'Letters, digits and . _ @ -, at most 64.' });
  }
  if (password.length < passwordCharactersMin) {
    throw new HoldfastError('CLI_USAGE', `the password has fewer than ${passwordCharactersMin} characters`, {
      hint: "Make one with 'openssl rand -hex 24'.",
    });
  }
  const text = await readText(path).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? '' : Promise.reject(unusable(path, error)),
  );
  parseUsers(text);
  const others = text.split('\n').filter((line) => line !== '' && !line.startsWith(`${name}:`));
  await replaceFile(path, [...others, `${name}:${await hashPassword(password)}`, ''].join('\n'));
}

interface FoundUsers {
  readonly users: Users;
  readonly version: string;
}

async function readUsers(path: string): Promise<FoundUsers> {
  try {
    const version = await versionOf(path);
    return { users: parseUsers(await readText(path)), version };
  } catch (error) {
    throw error instanceof HoldfastError ? error : unusable(path, error);
  }
}

async function readText(path: string): Promise<string> {
  const { size, mode } = await stat(path);
  if (size > fileBytesMax) throw new Error(`it has ${size} bytes`);
  if ((mode & 0o022) !== 0) throw new Error('others may change it: chmod go-w');
  return await readFile(path, 'utf8');
}

async function versionOf(path: string): Promise<string> {
  const { mtimeNs, ino, size } = await stat(path, { bigint: true });
  return `${mtimeNs} ${ino} ${size}`;
}

/** Whole or as it was, for its owner alone. */
async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    {
      await using file = await open(draft, 'wx', 0o600);
      await file.writeFile(text);
      await file.sync();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw unusable(path, error);
  }
}

function unusable(path: string, why: unknown): HoldfastError {
  return new HoldfastError('SERVE_USERS_INVALID', `the file of users ${path} can not be used: ${messageOf(why)}`, {
    hint: `Make it with \`holdfast serve --users ${path} --add-user NAME\`.`,
  });
}
