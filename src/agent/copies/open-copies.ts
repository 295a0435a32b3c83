import type { CopiesConfig } from '../../config/schema.ts';
import { hasCode, HoldfastError } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { initRepository, openRepository, type OpenedRepository, type OpenOptions } from '../../backup/index.ts';
import type { Location } from '../../storage/index.ts';
import { openLocation } from '../../storage/registry.ts';
import { repositoryPassword } from '../../storage/repository-password.ts';

/** The repository in a location of the configuration, and the location itself, for what stands beside the repository. */
export interface Copies extends AsyncDisposable {
  readonly location: Location;
  readonly repository: OpenedRepository;
}

interface CopiesOptions extends Pick<OpenOptions, 'startsThreads'> {
  /** Before a repository is made; without, none is. */
  readonly beforeMaking?: () => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Opens it; makes it, when there is none and `beforeMaking` lets it be.
 * @throws BACKUP_NO_PASSWORD, BACKUP_NO_REPOSITORY, BACKUP_PASSWORD_WRONG, STORAGE_…
 */
export async function openCopies(
  config: Pick<CopiesConfig, 'locations'>,
  name: string,
  runtime: Runtime,
  { beforeMaking, startsThreads = false, signal }: CopiesOptions,
): Promise<Copies> {
  await using stack = new AsyncDisposableStack();
  const location = stack.use(await openLocation(name, config.locations, runtime, { signal }));
  const password = repositoryPassword(name, config.locations)?.reveal();
  if (password === undefined) {
    throw new HoldfastError('BACKUP_NO_PASSWORD', `location '${name}' has no password: copies are encrypted with it`, {
      hint: `Where it has copies, write their password under locations.${name}. Else make one (openssl rand -base64 32 > copies.password; chmod 600 copies.password), write password: file:copies.password there, and keep a copy where no disaster takes it: without it nothing can be restored.`,
    });
  }
  const open = (): Promise<OpenedRepository> => openRepository(location, { password, startsThreads }, runtime, { signal });
  const repository = await open().catch(async (error: unknown) => {
    if (beforeMaking === undefined || !hasCode(error, 'BACKUP_NO_REPOSITORY')) throw error;
    await beforeMaking();
    await initRepository(location, { password }, runtime, { signal }).catch((failure: unknown) => {
      // Another one has just made it.
      if (!hasCode(failure, 'BACKUP_EXISTS')) throw failure;
    });
    return await open();
  });
  stack.use(repository);
  const opened = stack.move();
  return { location, repository, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
