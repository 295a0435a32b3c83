import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CredentialVault, makeCredentials, scramVerifier } from './credentials.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-vault-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('a verifier is what PostgreSQL itself makes of the password', () => {
  // The example of RFC 7677, section 3: user `user`, password `pencil`, its salt and 4096 iterations.
  expect(scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
  expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
});

test('passwords are kept for the agent alone, and are different each time', async () => {
  const path = join(directory, 'c.json');
  const vault = new CredentialVault(path);
  expect(await vault.read()).toBeUndefined();
  await expect(vault.require()).rejects.toMatchObject({ code: 'ENGINE_CREDENTIALS_MISSING', retryable: true });
  const made = makeCredentials(undefined);
  await vault.write(made);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await new CredentialVault(path).require()).toEqual(made);
  const all = [...Object.values(made), ...Object.values(makeCredentials(undefined))];
  expect(new Set(all).size).toBe(6);
  expect(makeCredentials('given').superuser).toBe('given');
});

test('a file that others can read, or that was altered, is refused rather than used', async () => {
  const path = join(directory, 'c.json');
  await new CredentialVault(path).write(makeCredentials(undefined));
  await chmod(path, 0o644);
  await expect(new CredentialVault(path).read()).rejects.toMatchObject({ code: 'ENGINE_CREDENTIALS_DAMAGED' });
  await writeFile(path, '{"admin": "x"}');
  await chmod(path, 0o600);
  await expect(new CredentialVault(path).read()).rejects.toMatchObject({ code: 'ENGINE_CREDENTIALS_DAMAGED' });
  await expect(new CredentialVault(join(directory, 'd')).write({ admin: 'only' })).rejects.toMatchObject({
    code: 'ENGINE_CREDENTIALS_DAMAGED',
  });
});
