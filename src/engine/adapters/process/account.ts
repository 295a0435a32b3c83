import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { userInfo } from 'node:os';
import { HoldfastError } from '../../../core/errors.ts';
import type { Account } from '../../../core/processes.ts';
import type { EngineContext } from '../../engine.ts';
import type { ProcessConfig } from './config.ts';

/** Whom the service runs as; undefined: as the agent. @throws ENGINE_UNSUITABLE */
export async function accountFor(config: ProcessConfig, context: EngineContext): Promise<Account | undefined> {
  if (config.user === undefined) return context.account;
  const own = userInfo();
  if (own.uid !== 0) {
    if (own.username === config.user) return undefined;
    throw unsuitable(
      `the agent runs as ${own.username} and can not run ${context.service} as ${config.user}`,
      'Run the agent as root, or as that user.',
    );
  }
  // passwd(5)
  const fields = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const [name, , uid, gid] = fields.find(([first]) => first === config.user) ?? [];
  if (name === undefined || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) {
    throw unsuitable(`there is no user '${config.user}' on this machine`, 'Make it (useradd --system NAME), or name another.');
  }
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** Looks where the system would. @throws ENGINE_UNSUITABLE */
export async function requireProgram(program: string): Promise<void> {
  const places = isAbsolute(program)
    ? [program]
    : program.includes('/')
      ? []
      : (process.env['PATH'] ?? '').split(':').map((directory) => join(directory, program));
  for (const place of places) {
    const executable = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return;
  }
  throw unsuitable(
    `the program '${program}' of process.command is not there or not executable`,
    'Name it by its absolute path, or by a name that is in PATH.',
  );
}

function unsuitable(message: string, hint: string): HoldfastError {
  return new HoldfastError('ENGINE_UNSUITABLE', message, { hint });
}
