import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError, messageOf } from '../../../core/errors.ts';

/** The agent's part of PgBouncer's configuration. */
export interface Databases {
  /** Of the leadership that it was written for; 0 before the first. */
  readonly term: number;
  /** What follows `name =`, by name. */
  readonly entries: ReadonlyMap<string, string>;
}

const heading = '; Written by Holdfast: changes here are lost.';

/**
 * The file that PgBouncer includes: who leads, for whenever it starts or reloads, with the term: an agent that comes late, or again, does not
 * go back behind it. Replaced atomically and flushed.
 */
export class DatabasesFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined when there is none. @throws ROUTER_PROGRAM_DENIED */
  async read(): Promise<Databases | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw this.#denied('read', error);
    }
    return parseDatabases(text);
  }

  /** @throws ROUTER_PROGRAM_DENIED */
  async write(databases: Databases): Promise<void> {
    const draft = `${this.#path}.new`;
    try {
      await using file = await open(draft, 'w');
      await file.writeFile(formatDatabases(databases));
      // Whatever the umask: PgBouncer runs as somebody else, and there are no secrets in it.
      await file.chmod(0o644);
      await file.sync();
      await rename(draft, this.#path);
      await using directory = await open(dirname(this.#path));
      await directory.sync();
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw this.#denied('written', error);
    }
  }

  #denied(done: string, cause: unknown): HoldfastError {
    return new HoldfastError('ROUTER_PROGRAM_DENIED', `The file for PgBouncer, ${this.#path}, can not be ${done}: ${messageOf(cause)}`, {
      hint: 'Make its directory, and let the agent write and PgBouncer read there.',
      cause,
    });
  }
}

export function formatDatabases({ term, entries }: Databases): string {
  const lines = [...entries].map(([name, settings]) => `${name} = ${settings}`);
  return [heading, `; term ${term}`, '[databases]', ...lines, ''].join('\n');
}

export function parseDatabases(text: string): Databases {
  const entries = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, settings] = /^([A-Za-z0-9_][A-Za-z0-9_.-]*) = (.*)$/.exec(line) ?? [];
    if (name !== undefined) entries.set(name, settings!);
  }
  return { term: Number(/^; term (\d{1,15})$/m.exec(text)?.[1] ?? 0), entries };
}

/** `host='10.0.0.1' port='5432'`, a quote within doubled, as PgBouncer reads it. */
export function formatSettings(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}='${value.replaceAll("'", "''")}'`)
    .join(' ');
}
