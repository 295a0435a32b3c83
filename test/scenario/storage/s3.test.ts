import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createClock } from '../../../src/runtime/clock.ts';
import { createRandom } from '../../../src/runtime/random.ts';
import { create, type S3Config } from '../../../src/storage/adapters/s3/index.ts';
import { describeLocationContract } from '../../../src/storage/contract.ts';
import { Radosgw, type S3User, whyNoRadosgw } from './radosgw.ts';

const why = whyNoRadosgw();
const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };

describe.skipIf(why !== undefined)(`S3 on a real radosgw${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let server: Radosgw;
  let owner: S3User;
  beforeAll(async () => {
    server = await Radosgw.start(runtime.clock);
    owner = await server.addUser('owner');
    const client = new S3Client({
      endpoint: server.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: owner.accessKey, secretAccessKey: owner.secretKey },
    });
    for (const Bucket of ['contract']) await client.send(new CreateBucketCommand({ Bucket }));
    client.destroy();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const secret = (value: string): Secret => new Secret({ from: 'environment', name: 'TEST' }, value);
  const config = (overrides: Partial<S3Config> = {}): S3Config => ({
    bucket: 'contract',
    endpoint: server.endpoint,
    accessKey: secret(owner.accessKey),
    secretKey: secret(owner.secretKey),
    ...overrides,
  });

  describeLocationContract('S3', {
    clock: runtime.clock,
    open: async () => create('cloud', config({ prefix: 'some/prefix' }), runtime),
  });
});
