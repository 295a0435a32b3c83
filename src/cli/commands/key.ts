import type { Command } from 'commander';
import { printJson, printLine } from '../print.ts';
import { addRepositoryOptions, readPassword, type RepositoryOptions, withRepository } from '../repository/open.ts';
import { shortId } from '../repository/print.ts';

interface NewPasswordOptions extends RepositoryOptions {
  readonly newPasswordFile?: string;
}

export function register(command: Command): void {
  addRepositoryOptions(command.command('list').description('the keys; each is opened by a password of its own')).action(list);
  addRepositoryOptions(command.command('add').description('let another password open the repository, too'))
    .option('--new-password-file <file>', 'holds the new one')
    .action(async (options: NewPasswordOptions) => add(options));
  addRepositoryOptions(command.command('change').description('replace the password that is used'))
    .option('--new-password-file <file>', 'holds the new one')
    .action(change);
  addRepositoryOptions(command.command('remove').description('let a password no longer open it'))
    .argument('<id>', 'of the key, or a beginning of it')
    .action(remove);
}

async function list(options: RepositoryOptions): Promise<void> {
  await withRepository(options, async ({ repository, signal }) => {
    const keys = await Array.fromAsync(repository.keys({ signal }));
    if (options.json === true) return printJson(keys);
    for (const { id, current, created, hostname, username } of keys)
      printLine(`${current ? '*' : ' '}${shortId(id)}  ${created}  ${username}@${hostname}`);
  });
}

async function add(options: NewPasswordOptions): Promise<void> {
  await withRepository(options, async ({ repository, signal }) => {
    const id = await repository.addKey(await readPassword(options.newPasswordFile), { signal });
    if (options.json === true) printJson({ id });
    else printLine(`added key ${shortId(id)}`);
  });
}

/** The new key is there before the old one goes: cut off, both open it. */
async function change(options: NewPasswordOptions): Promise<void> {
  let old = '';
  const password = await readPassword(options.newPasswordFile);
  let id = '';
  await withRepository(options, async ({ repository, signal }) => {
    for await (const key of repository.keys({ signal })) if (key.current) old = key.id;
    id = await repository.addKey(password, { signal });
  });
  await withRepository(options, ({ repository, signal }) => repository.removeKey(old, { signal }), { password });
  if (options.json === true) printJson({ id, removed: old });
  else printLine(`key ${shortId(id)} replaces ${shortId(old)}`);
}

async function remove(id: string, options: RepositoryOptions): Promise<void> {
  await withRepository(options, async ({ repository, signal }) => {
    await repository.removeKey(id, { signal });
    if (options.json === true) printJson({ removed: id });
    else printLine(`removed key ${id}`);
  });
}
