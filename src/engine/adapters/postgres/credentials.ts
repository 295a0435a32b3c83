import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import { writeDurably } from './durable-file.ts';

/** Holdfast's own superuser, let in by the local socket only. */
export const adminRole = 'holdfast';
/** What members copy and stream from each other with. */
export const replicationRole = 'holdfast_replication';

const schema = z.strictObject({ superuser: z.string().min(1), admin: z.string().min(1), replication: z.string().min(1) });

/** The passwords that all members of a service share. */
export type PostgresCredentials = z.infer<typeof schema>;

export function makeCredentials(superuser: string | undefined): PostgresCredentials {
  return { superuser: superuser ?? makePassword(), admin: makePassword(), replication: makePassword() };
}

/** The member's copy of the secrets, on its own disk, readable by the agent alone. */
export class CredentialVault {
  readonly #path: string;
  #known: PostgresCredentials | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws ENGINE_CREDENTIALS_DAMAGED */
  async read(): Promise<PostgresCredentials | undefined> {
    if (this.#known !== undefined) return this.#known;
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    if (((await lstat(this.#path)).mode & 0o077) !== 0) throw this.#damaged('can be read by others');
    this.#known = this.#parse(text);
    return this.#known;
  }

  /** @throws ENGINE_CREDENTIALS_MISSING */
  async require(): Promise<PostgresCredentials> {
    const credentials = await this.read();
    if (credentials !== undefined) return credentials;
    throw new HoldfastError('ENGINE_CREDENTIALS_MISSING', `the passwords of this service are not known here ('${this.#path}' is absent)`, {
      retryable: true,
      hint: 'They come from the other members once their agents are connected; check that at least one is.',
    });
  }

  async write(credentials: Readonly<Record<string, string>>): Promise<void> {
    const parsed = schema.safeParse(credentials);
    if (!parsed.success)
      throw new HoldfastError('ENGINE_CREDENTIALS_DAMAGED', 'the passwords received for this service are not complete', {
        hint: 'Run the same version of Holdfast on all members.',
      });
    if (JSON.stringify(parsed.data) === JSON.stringify(await this.read())) return;
    await writeDurably(this.#path, `${JSON.stringify(parsed.data)}\n`, { account: undefined });
    this.#known = parsed.data;
  }

  #parse(text: string): PostgresCredentials {
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      throw this.#damaged('is not what was written there');
    }
  }

  #damaged(problem: string): HoldfastError {
    return new HoldfastError('ENGINE_CREDENTIALS_DAMAGED', `'${this.#path}' ${problem}`, {
      hint: 'Give it back its content and mode 0600; or remove it, and the other members send it again.',
    });
  }
}

/**
 * What the server keeps of a password instead of the password (RFC 5803; PostgreSQL manual, pg_authid), so that the password
 * itself never reaches it or its log. Normalised as RFC 7613 asks, short of its tables of refused characters.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  const iterations = 4096;
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const key = (label: string): Buffer => createHmac('sha256', salted).update(label).digest();
  const stored = createHash('sha256').update(key('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${key('Server Key').toString('base64')}`;
}

/** 192 bits, in characters that need no quoting anywhere. */
function makePassword(): string {
  return randomBytes(24).toString('base64url');
}
