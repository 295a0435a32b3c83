import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { promisify } from 'node:util';
import type { S3User } from './radosgw.ts';

const run = promisify(execFile);
const library = globSync('/usr/lib/*/faketime/libfaketime.so.1')[0];
const msMax = 60_000;

/** Why no process can have a wrong clock here; undefined when one can. With HOLDFAST_REQUIRE=all that is an error. */
export function whyNoSkewedClock(): string | undefined {
  const why = library === undefined ? 'needs libfaketime' : undefined;
  if (why !== undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error(`skewed clock: ${why} (HOLDFAST_REQUIRE=all)`);
  return why;
}

/** What became of two puts by a process whose clock is two hours fast: `done`, or code, whether to try again, and the store's word. */
export async function putsBySkewedClock(endpoint: string, { accessKey, secretKey }: S3User, bucket: string): Promise<string[]> {
  const from = (path: string): string => JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href);
  const script = `
    import { Secret } from ${from('core/secret.ts')};
    import { createClock } from ${from('runtime/clock.ts')};
    import { create } from ${from('storage/adapters/s3/index.ts')};
    const { endpoint, accessKey, secretKey, bucket } = JSON.parse(process.argv[1]);
    const secret = (value) => new Secret({ from: 'environment', name: 'TEST' }, value);
    const config = { bucket, endpoint, prefix: 'skewed', accessKey: secret(accessKey), secretKey: secret(secretKey) };
    const location = create('cloud', config, { clock: createClock() });
    for (let n = 0; n < 2; n += 1)
      await location.put('k', [new Uint8Array(3)], { signal: new AbortController().signal }).then(
        () => console.log('done'),
        ({ code, retryable, cause }) => console.log(code, retryable, cause.name),
      );`;
  const { stdout } = await run(
    process.execPath,
    ['--input-type=module-typescript', '-e', script, JSON.stringify({ endpoint, accessKey, secretKey, bucket })],
    { env: { ...process.env, LD_PRELOAD: library, FAKETIME: '+2h', DONT_FAKE_MONOTONIC: '1' }, timeout: msMax },
  );
  return stdout.trim().split('\n');
}
