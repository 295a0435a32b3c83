import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { WebCredentials, WebServer } from '../../runtime/index.ts';

/** How often a renewed certificate is looked for. */
const lookEveryMs = 60_000;

export interface CertificatePaths {
  readonly cert: string;
  readonly key: string;
}

/** Reads both, and proves that they belong together. @throws SERVE_CERTIFICATE_INVALID */
export async function readCertificate({ cert, key }: CertificatePaths): Promise<WebCredentials> {
  try {
    const { mode } = await stat(key);
    if ((mode & 0o007) !== 0) throw new Error(`everybody may use the key: chmod 600 ${key}`);
    const texts = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
    if (!new X509Certificate(texts.cert).checkPrivateKey(createPrivateKey(texts.key)))
      throw new Error('the key is not that of the certificate');
    return texts;
  } catch (error) {
    throw new HoldfastError('SERVE_CERTIFICATE_INVALID', `${cert} and ${key} can not be used: ${messageOf(error)}`, {
      hint: 'Both are PEM files; the certificate comes first in its file, then those between it and its CA.',
      cause: error,
    });
  }
}

/** Lets the server use what comes in place of its certificate, until `signal` aborts. */
export async function keepRenewed(
  server: Pick<WebServer, 'renew'>,
  paths: CertificatePaths,
  { clock, logger }: Runtime,
  signal: AbortSignal,
): Promise<void> {
  let used = await readCertificate(paths);
  for (;;) {
    await clock.sleep(lookEveryMs, signal);
    try {
      const found = await readCertificate(paths);
      if (found.cert === used.cert && found.key === used.key) continue;
      server.renew(found);
      used = found;
      logger.info('rest.certificate.renewed');
    } catch (error) {
      // In the midst of being replaced, or for good: the one in use goes on.
      logger.warn('rest.certificate.unreadable', { message: messageOf(error) });
    }
  }
}
