import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { certificatesIn, certifiedNames, chainOf } from '../core/certificate-chain.ts';
import { messageOf } from '../core/errors.ts';
import type { Finding } from './problem.ts';
import { readTextFile } from './read-file.ts';
import { readPrivateFile } from './secrets.ts';

/** The three files of a node, PEM. */
export interface CertificateFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** What stands in the files, from this node's certificate up to the CA, and what is wrong with it. */
export interface CertificateReport {
  readonly chain: readonly X509Certificate[];
  /** Paths are `ca`, `cert`, `key`. */
  readonly findings: readonly Finding[];
  /** Certificates that are valid no more, or not yet. Apart from the rest, since an agent must go on caring for its database all the same. */
  readonly untimely: readonly Finding[];
}

/** More than any chain has. */
const fileBytesMax = 256 * 1024;

/** Whether these files let the node prove to its peers that it is `node`. Reads the files, connects nowhere. */
export function inspectCertificates(files: CertificateFiles, node: string, nowMs: number): CertificateReport {
  const authorities = readCertificates(files.ca);
  const own = readCertificates(files.cert);
  const findings: Finding[] = [];
  if (!Array.isArray(authorities)) findings.push({ path: ['ca'], message: authorities.problem });
  if (!Array.isArray(own)) findings.push({ path: ['cert'], message: own.problem });
  const leaf = Array.isArray(own) ? own[0] : undefined;
  findings.push(...keyFindings(files.key, leaf));
  if (!leaf || !Array.isArray(own)) return { chain: [], findings, untimely: [] };
  if (!certifiedNames(leaf).has(node)) {
    findings.push({
      path: ['cert'],
      message: `${files.cert} is of ${[...certifiedNames(leaf)].join(', ') || 'nobody'}, not of ${node}: node.name must be among its names`,
    });
  }
  const { chain, trusted } = chainOf(leaf, own.slice(1), Array.isArray(authorities) ? authorities : []);
  if (!trusted && Array.isArray(authorities)) findings.push({ path: ['cert'], message: `${files.cert} was not signed by ${files.ca}` });
  return {
    chain,
    findings,
    untimely: chain.flatMap((certificate) => judgeTime(certificate, nowMs, own.includes(certificate) ? 'cert' : 'ca')),
  };
}

function readCertificates(file: string): X509Certificate[] | { readonly problem: string } {
  try {
    const certificates = certificatesIn(readTextFile(file, fileBytesMax).text);
    return certificates.length > 0 ? certificates : { problem: `${file} holds no certificate in PEM` };
  } catch (error) {
    return { problem: `${file} can not be read: ${messageOf(error)}` };
  }
}

function keyFindings(file: string, leaf: X509Certificate | undefined): readonly Finding[] {
  const text = readPrivateFile(file);
  if (typeof text !== 'string') return [{ path: ['key'], message: text.problem }];
  try {
    const fits = !leaf || leaf.checkPrivateKey(createPrivateKey(text));
    return fits ? [] : [{ path: ['key'], message: `${file} is not the key of the certificate` }];
  } catch (error) {
    return [{ path: ['key'], message: `${file} is no private key in PEM without a passphrase: ${messageOf(error)}` }];
  }
}

function judgeTime(certificate: X509Certificate, nowMs: number, file: 'ca' | 'cert'): readonly Finding[] {
  const who = [...certifiedNames(certificate)][0] ?? certificate.subject;
  if (certificate.validToDate.getTime() < nowMs)
    return [{ path: [file], message: `the certificate of ${who} ran out on ${certificate.validTo}` }];
  if (certificate.validFromDate.getTime() > nowMs) {
    return [
      {
        path: [file],
        message: `the certificate of ${who} is valid only from ${certificate.validFrom}: is the clock of this machine right?`,
      },
    ];
  }
  return [];
}
