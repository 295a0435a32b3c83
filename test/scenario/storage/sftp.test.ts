import { afterAll, beforeAll, describe } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { createClock } from '../../../src/runtime/clock.ts';
import { createRandom } from '../../../src/runtime/random.ts';
import { create, type SftpConfig } from '../../../src/storage/adapters/sftp/index.ts';
import { describeLocationContract } from '../../../src/storage/contract.ts';
import { Sshd, whyNoSshd } from './sshd.ts';

const why = whyNoSshd();
const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };

describe.skipIf(why !== undefined)(`SFTP on a real sshd${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let server: Sshd;
  let fingerprint: string;
  beforeAll(async () => {
    server = await Sshd.start(runtime.clock);
    fingerprint = await server.fingerprint('host_ed25519');
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const config = (overrides: Partial<SftpConfig> = {}): SftpConfig => ({
    host: '127.0.0.1',
    port: server.port,
    user: server.user,
    path: server.path('vault'),
    key: server.path('user'),
    fingerprint,
    ...overrides,
  });

  describeLocationContract('SFTP', { clock: runtime.clock, open: async () => create('far', config(), runtime) });
});
