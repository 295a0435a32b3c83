import { z } from 'zod';
import { path, secret } from '../../../core/config-fields.ts';

const pathAllowed = 'must be a path on that host';
const fingerprintAllowed = 'must be as `ssh-keygen -lf` prints it, SHA256: and 43 characters';

/** Settings of a directory of an SSH server: `sftp: { … }`. */
export const configSchema = z
  .strictObject({
    host: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,252}[A-Za-z0-9])?$/, 'must be the name or address of a host'),
    port: z.int().min(1).max(65_535).default(22),
    user: z.string().min(1).max(255),
    path: z
      .string(pathAllowed)
      .min(1, pathAllowed)
      .max(1024, pathAllowed)
      .refine((text) => !text.includes('\0'), pathAllowed)
      .describe("On that host, absolute or below the user's directory. It must exist: Holdfast makes none."),
    key: path()
      .optional()
      .describe(
        'Private key file. Absent, with no password: the first of id_ed25519, id_ecdsa and id_rsa in ~/.ssh of the account that Holdfast runs as.',
      ),
    passphrase: secret().optional().describe('Of the private key.'),
    password: secret().optional().describe('Instead of a key.'),
    knownHosts: path()
      .optional()
      .describe(
        "File with the server's key, as OpenSSH's known_hosts. Absent, with no fingerprint: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts.",
      ),
    fingerprint: z
      .string(fingerprintAllowed)
      .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, fingerprintAllowed)
      .optional()
      .describe("Of the server's key. Nobody is trusted without it or a known_hosts file."),
  })
  .refine(({ key, password }) => key === undefined || password === undefined, 'must have a key or a password, not both')
  .refine(({ password, passphrase }) => password === undefined || passphrase === undefined, 'needs no passphrase with a password')
  .refine(
    ({ knownHosts, fingerprint }) => knownHosts === undefined || fingerprint === undefined,
    'must have knownHosts or a fingerprint, not both',
  );

export type SftpConfig = z.output<typeof configSchema>;
