import type { Command } from 'commander';
import type { RestMode } from '../../backup/index.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { CommonOptions } from '../command.ts';
import { size } from '../repository/options.ts';

export interface ServeOptions extends CommonOptions {
  readonly config?: string;
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly users?: string;
  readonly addUser?: string;
  readonly passwordFile?: string;
  readonly appendOnly?: boolean;
  readonly readOnly?: boolean;
  readonly maxSize?: number;
  readonly allowNoUsers?: boolean;
  readonly allowNoTls?: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export function register(command: Command): void {
  command
    .argument('[location]', 'of the configuration, or a directory (with a "/" in it)')
    .option('-c, --config <file>', 'configuration that names the locations (default: holdfast.yaml, /etc/holdfast/holdfast.yaml)')
    .option('-l, --listen <host:port>', 'where to listen; port 0 takes a free one', '127.0.0.1:8000')
    .option('--tls-cert <file>', 'certificate (PEM), then those between it and its CA; a renewed one is used within a minute')
    .option('--tls-key <file>', 'its key (PEM)')
    .option('--users <file>', 'who may come in; read anew when it changes')
    .option('--add-user <name>', 'add a user to that file, or change the password, and end')
    .option('-p, --password-file <file>', 'the password of --add-user; else it is asked for')
    .option('--append-only', 'let nothing be removed but locks')
    .option('--read-only', 'let nothing be written, not even locks')
    .option('--max-size <size>', 'let the location hold no more than this', size)
    .option('--allow-no-users', 'listen beyond this machine though nobody is asked who they are')
    .option('--allow-no-tls', 'listen beyond this machine without TLS')
    .option('--log-level <level>', 'debug (every request), info, warn or error', 'info')
    .addHelpText(
      'after',
      `
Offers the repository of a location, whatever that is made of, over restic's REST protocol; its password is not needed here:
  holdfast serve --users users --add-user alice
  holdfast serve offsite --listen 10.0.0.1:8000 --users users --tls-cert cert.pem --tls-key key.pem --append-only
  restic -r rest:https://alice:PASSWORD@10.0.0.1:8000/ backup /srv
SIGTERM lets what is under way end, for half a minute at most.`,
    )
    .action(run);
}

async function run(location: string | undefined, options: ServeOptions): Promise<void> {
  if (options.addUser !== undefined) {
    const { users: file } = options;
    if (file === undefined) throw usage('--add-user needs --users FILE');
    if (options.passwordFile === undefined && !process.stdin.isTTY) {
      throw new HoldfastError('CLI_NO_PASSWORD', `no password for ${options.addUser} is named`, {
        hint: 'Give --password-file FILE, or type it on a terminal.',
      });
    }
    const { addUser } = await import('../serve/users-file.ts');
    const { readPassword } = await import('../repository/open.ts');
    return await addUser(file, options.addUser, await readPassword(options.passwordFile));
  }
  if (location === undefined) throw usage('no location is named');
  const { serveLocation } = await import('../serve/serve.ts');
  await serveLocation(location, modeOf(options), options);
}

function modeOf({ appendOnly = false, readOnly = false }: ServeOptions): RestMode {
  if (appendOnly && readOnly) throw usage('--append-only and --read-only exclude each other');
  return readOnly ? 'read-only' : appendOnly ? 'append-only' : 'full';
}

function usage(problem: string): HoldfastError {
  return new HoldfastError('CLI_USAGE', problem, { hint: 'holdfast serve --help' });
}
