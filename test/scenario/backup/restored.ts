import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { MachineRuntime } from '../../../src/core/runtime.ts';
import { openBinaries } from '../../../src/engine/adapters/postgres/binaries.ts';
import { account } from '../postgres/account.ts';
import { eventually } from '../postgres/harness.ts';

/** A restored database by itself, as an operator would start it, on a socket of its own. */
export async function startRestored(
  data: string,
  password: string,
  runtime: MachineRuntime,
): Promise<{ readonly client: Client; connect(database: string): Promise<Client> } & AsyncDisposable> {
  const sockets = await mkdtemp(join(tmpdir(), 'holdfast-restored-'));
  await chmod(sockets, 0o777);
  const log = join(sockets, 'log');
  const binaries = await openBinaries(undefined, account, runtime.processes);
  const settings = ['listen_addresses=', `unix_socket_directories=${sockets}`, 'port=5999', 'synchronous_standby_names='];
  const server = await runtime.processes.startDetached(
    binaries.program('postgres'),
    ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    { ...(account && { account }), logFile: log },
  );
  const stop = async (): Promise<void> => {
    runtime.processes.kill(server.identity, 'SIGQUIT');
    await server.exited;
    await rm(sockets, { recursive: true, force: true });
  };
  const connect = async (database: string): Promise<Client> => {
    const attempt = new Client({ host: sockets, port: 5999, user: 'postgres', password, database });
    attempt.on('error', () => {});
    await attempt.connect();
    return attempt;
  };
  try {
    const client = await eventually(runtime, 'the restored database answers', () => connect('postgres'));
    return {
      client,
      connect,
      [Symbol.asyncDispose]: async () => {
        await client.end();
        await stop();
      },
    };
  } catch (error) {
    const said = await readFile(log, 'utf8').catch(() => '');
    await stop();
    throw new Error(`the restored database did not start: ${said}`, { cause: error });
  }
}
