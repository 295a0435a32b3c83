import { readFile, stat } from 'node:fs/promises';
import type { Account } from '../core/processes.ts';
import { HoldfastError } from '../core/errors.ts';

const PASSWD = '/etc/passwd';

/**
 * Whom a service runs as when the agent is root: the owner of its data where there are any; else `postgres` for the system's PostgreSQL,
 * where that account exists, else `nobody`. Undefined when the agent is not root: services then run as the agent does.
 * @throws AGENT_NO_ACCOUNT
 */
export async function serviceAccount(dataDirectory: string | undefined, systemBinaries: boolean): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = parseAccounts(await readFile(PASSWD, 'utf8'));
  const owner =
    dataDirectory === undefined
      ? undefined
      : await stat(dataDirectory).then(
          ({ uid }) => uid,
          () => undefined,
        );
  const byOwner = owner === undefined || owner === 0 ? undefined : accounts.find((account) => account.uid === owner);
  const account =
    byOwner ??
    (systemBinaries ? accounts.find(({ name }) => name === 'postgres') : undefined) ??
    accounts.find(({ name }) => name === 'nobody');
  if (account === undefined) {
    throw new HoldfastError(
      'AGENT_NO_ACCOUNT',
      'There is neither an account postgres nor nobody to run services as; PostgreSQL refuses root',
      { hint: 'Make one (useradd --system postgres), or run the agent as an unprivileged user.' },
    );
  }
  return account;
}

/** Lines `name:x:uid:gid:…` of passwd(5). */
function parseAccounts(text: string): Account[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    return name && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '') ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}
