import { Client, type ConnectConfig, type SFTPWrapper } from 'ssh2';
import { abortable } from '../../../core/abortable.ts';
import type { Clock } from '../../../core/clock.ts';
import { denied, unreachable } from '../../failures.ts';
import type { SftpConfig } from './config.ts';
import { readCredentials } from './credentials.ts';
import { openHostKeyJudge } from './host-key.ts';

/** How long a server is waited for. */
export interface SftpLimits {
  /** Connecting, proving who is who, and opening the channel; then once more, finding the directory. */
  readonly readyMsMax: number;
  /** A peer is asked whether it lives each time it has said nothing for so long; */
  readonly keepaliveMs: number;
  /** when it has not answered so many times it is gone. */
  readonly keepalivesMax: number;
}

export const sftpLimits: SftpLimits = { readyMsMax: 15_000, keepaliveMs: 5_000, keepalivesMax: 3 };

type Done<T> = (error: Error | null | undefined, value: T) => void;

/** One SSH connection with one SFTP channel; calls on it may run at once. When it has broken, all of them fail and another is to be opened. */
export class SftpConnection implements AsyncDisposable {
  readonly #client: Client;
  readonly #sftp: SFTPWrapper;
  readonly #broken: AbortController;

  private constructor(client: Client, sftp: SFTPWrapper, broken: AbortController) {
    this.#client = client;
    this.#sftp = sftp;
    this.#broken = broken;
  }

  /** @throws STORAGE_UNREACHABLE, STORAGE_DENIED */
  static async open(location: string, config: SftpConfig, clock: Clock, limits: SftpLimits): Promise<SftpConnection> {
    const [judge, credentials] = await Promise.all([openHostKeyJudge(location, config), readCredentials(location, config)]);
    let refusal: Error | undefined;
    const options: ConnectConfig = {
      host: config.host,
      port: config.port,
      username: config.user,
      ...credentials,
      tryKeyboard: credentials.password !== undefined,
      readyTimeout: limits.readyMsMax,
      keepaliveInterval: limits.keepaliveMs,
      keepaliveCountMax: limits.keepalivesMax,
      hostVerifier: (key: Buffer) => {
        refusal = judge.judge(key);
        return refusal === undefined;
      },
      ...(judge.algorithms !== undefined && { algorithms: { serverHostKey: judge.algorithms as never } }),
    };
    const client = new Client();
    const broken = new AbortController();
    // The library's own limit ends before the channel is asked for, and who serves that may hang.
    using _late = clock.after(limits.readyMsMax, () => client.emit('error', new Error(`no answer within ${limits.readyMsMax} ms`)));
    try {
      return new SftpConnection(client, await openChannel(location, client, options, broken), broken);
    } catch (error) {
      client.destroy();
      throw refusal ?? explainConnecting(location, error, config);
    }
  }

  /** Aborts when the connection is of no use any more. */
  get broken(): AbortSignal {
    return this.#broken.signal;
  }

  /** One request. @throws what the server answers (`code` of SFTP, draft-ietf-secsh-filexfer-02, 7); STORAGE_UNREACHABLE when the connection breaks */
  async ask<T>(request: (sftp: SFTPWrapper, done: Done<T>) => void): Promise<T> {
    this.broken.throwIfAborted();
    const answer = new Promise<T>((resolve, reject) => {
      request(this.#sftp, (error, value) => (error === undefined || error === null ? resolve(value) : reject(error)));
    });
    return await abortable(answer, this.broken);
  }

  /** Gives it up: all that is under way fails with this. */
  break(reason: Error): void {
    this.#broken.abort(reason);
    this.#client.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.end();
  }
}

async function openChannel(location: string, client: Client, options: ConnectConfig, broken: AbortController): Promise<SFTPWrapper> {
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  const failed = (error: Error): void => {
    reject(error);
    broken.abort(unreachable(location, `the connection broke: ${error.message}`, { cause: error }));
  };
  client.on('error', failed);
  client.on('close', () => failed(new Error('it was closed')));
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
    finish(prompts.map(() => options.password ?? '')),
  );
  // Small requests are not held back until what was sent before is acknowledged (Nagle): a request is answered before the next is sent.
  client.on('connect', () => client.setNoDelay(true));
  client.on('ready', () => {
    client.sftp((error, sftp) => {
      if (error !== undefined) return reject(error);
      sftp.on('error', failed);
      sftp.on('close', () => failed(new Error('the channel was closed')));
      resolve(sftp);
    });
  });
  client.connect(options);
  return await promise;
}

function explainConnecting(location: string, error: unknown, { user, host }: SftpConfig): Error {
  const { level, message } = error as { level?: string; message?: string };
  if (level === 'client-authentication')
    return denied(location, `${user} is not let in at ${host}`, {
      cause: error,
      hint: 'Check the user, and that its authorized_keys has the public part of the key.',
    });
  if (/parse|passphrase|decrypt|private ?key/i.test(message ?? '') && level === undefined)
    return denied(location, error, { cause: error, hint: 'Name a private key in the format of OpenSSH as `key`, and its `passphrase`.' });
  return unreachable(location, error, {
    cause: error,
    hint: 'Check host and port, and that an SSH server with the sftp subsystem answers there.',
  });
}
