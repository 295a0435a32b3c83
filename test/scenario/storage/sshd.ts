import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../../../src/core/clock.ts';
import { freePorts, ServerProcess } from '../servers/server-process.ts';

const run = promisify(execFile);
const SSHD = '/usr/sbin/sshd';
/** Where sshd locks itself in before somebody has logged in; packages make it when the machine starts. */
const EMPTY = '/run/sshd';
const startMsMax = 20_000;

/** What is missing for an SSH server on this machine; undefined when nothing is. With HOLDFAST_REQUIRE=all what is missing is an error. */
export function whyNoSshd(): string | undefined {
  const absent = [SSHD, '/usr/bin/ssh-keygen'].filter((program) => !existsSync(program));
  const why =
    absent.length > 0 ? `needs ${absent.join(', ')}` : process.getuid?.() === 0 || existsSync(EMPTY) ? undefined : `needs ${EMPTY}`;
  if (why !== undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`sshd: ${why} (HOLDFAST_REQUIRE=all)`);
  return why;
}

/** A real OpenSSH server on loopback, with keys of its own, that lets in the user who runs the test. */
export class Sshd implements AsyncDisposable {
  readonly directory: string;
  readonly port: number;
  readonly #server: ServerProcess;
  readonly #clock: Clock;

  private constructor(directory: string, port: number, server: ServerProcess, clock: Clock) {
    this.directory = directory;
    this.port = port;
    this.#server = server;
    this.#clock = clock;
  }

  /**
   * @param options.sftp what serves SFTP: sftp-server(8) with its options, or the one within sshd (default)
   * @param options.password lets the user in by this one, not by a key; needs root
   */
  static async start(clock: Clock, options: { readonly sftp?: string; readonly password?: string } = {}): Promise<Sshd> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-sshd-'));
    const [port] = (await freePorts(1)) as [number];
    if (process.getuid?.() === 0) await mkdir(EMPTY, { recursive: true, mode: 0o755 });
    const command = [SSHD, '-D', '-e', '-f', join(directory, 'sshd_config')];
    const [program, ...args] = options.password === undefined ? command : withShadow(join(directory, 'shadow'), command);
    const server = new ServerProcess({ program: program!, args, logFile: join(directory, 'sshd.log') }, clock);
    const sshd = new Sshd(directory, port, server, clock);
    try {
      for (const type of ['ed25519', 'rsa']) await sshd.#makeKey(`host_${type}`, type);
      await sshd.#makeKey('user', 'ed25519');
      await sshd.#makeKey('stranger', 'ed25519');
      await writeFile(join(directory, 'authorized_keys'), await readFile(join(directory, 'user.pub')));
      await writeFile(join(directory, 'sshd_config'), sshd.#configuration(options).join('\n'));
      await mkdir(join(directory, 'vault'));
      if (options.password !== undefined)
        await writeFile(join(directory, 'shadow'), await shadowOf(sshd.user, options.password), { mode: 0o600 });
      await sshd.restart();
      return sshd;
    } catch (error) {
      const log = await server.log();
      await sshd[Symbol.asyncDispose]();
      throw new Error(`sshd did not start:\n${log}`, { cause: error });
    }
  }

  get user(): string {
    return userInfo().username;
  }

  /** A file of its directory: `user`, `stranger` (keys), `vault` (for objects). */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** As ssh-keygen prints it. @param key `host_ed25519` or `host_rsa` */
  async fingerprint(key: string): Promise<string> {
    return (await run('ssh-keygen', ['-lf', this.path(`${key}.pub`)])).stdout.split(' ')[1]!;
  }

  /** Lines of known_hosts for all its keys. */
  async knownHosts(port = this.port): Promise<string> {
    const keys = await Promise.all(['host_ed25519.pub', 'host_rsa.pub'].map((name) => readFile(this.path(name), 'utf8')));
    return keys.map((key) => `[127.0.0.1]:${port} ${key}`).join('');
  }

  /** Hides the names in a known_hosts file, as `HashKnownHosts` does. */
  async hashNames(file: string): Promise<void> {
    await run('ssh-keygen', ['-H', '-f', file]);
  }

  /** SIGKILL of the server. Those who serve connections live on with them: cut these too, as this waits for them. */
  async kill(): Promise<void> {
    await this.#server.kill();
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#server.start();
    for (const untilMs = this.#clock.monotonicMs() + startMsMax; this.#clock.monotonicMs() < untilMs; await this.#clock.sleep(20))
      if (await isListening(this.port)) return;
    throw new Error(`nothing listens on port ${this.port}`);
  }

  async log(): Promise<string> {
    return await this.#server.log();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #makeKey(name: string, type: string): Promise<void> {
    await run('ssh-keygen', ['-q', '-t', type, ...(type === 'rsa' ? ['-b', '2048'] : []), '-N', '', '-C', name, '-f', this.path(name)]);
  }

  #configuration({ sftp = 'internal-sftp', password }: { readonly sftp?: string; readonly password?: string }): readonly string[] {
    return [
      `ListenAddress 127.0.0.1:${this.port}`,
      `HostKey ${this.path('host_ed25519')}`,
      `HostKey ${this.path('host_rsa')}`,
      `AuthorizedKeysFile ${this.path('authorized_keys')}`,
      'PidFile none',
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin yes',
      `PasswordAuthentication ${password === undefined ? 'no' : 'yes'}`,
      `PubkeyAuthentication ${password === undefined ? 'yes' : 'no'}`,
      'MaxStartups 100',
      `Subsystem sftp ${sftp}`,
      '',
    ];
  }
}

/** Runs a command in a mount namespace of its own, where the passwords are those of a file: this machine's own stay as they are. */
function withShadow(file: string, command: readonly string[]): readonly string[] {
  return ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/shadow && exec "$@"', file, ...command];
}

/** As shadow(5) wants it. */
async function shadowOf(user: string, password: string): Promise<string> {
  const { stdout } = await run('openssl', ['passwd', '-6', password]);
  return `${user}:${stdout.trim()}:19000:0:99999:7:::\n`;
}

async function isListening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}
