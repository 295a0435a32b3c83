import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of PEM files. */
export interface TestCertificates {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
  /** An authority that signed none of them, and a client certificate of it. */
  readonly stranger: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Makes a CA, a certificate of a server on loopback and one of a client, by the openssl program. */
export async function makeCertificates(directory: string): Promise<TestCertificates> {
  const [ca, strangerCa] = [await makeAuthority(directory, 'ca'), await makeAuthority(directory, 'stranger-ca')];
  const stranger = await sign(directory, strangerCa, 'stranger');
  return {
    ca: ca.cert,
    server: await sign(directory, ca, 'server'),
    client: await sign(directory, ca, 'client'),
    stranger: { ca: strangerCa.cert, ...stranger },
  };
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

function pair(directory: string, name: string): Pair {
  return { cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function makeAuthority(directory: string, name: string): Promise<Pair> {
  const files = pair(directory, name);
  const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
  await run('openssl', [
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    files.key,
    '-out',
    files.cert,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    ...extensions,
  ]);
  return files;
}

async function sign(directory: string, authority: Pair, name: string): Promise<Pair> {
  const files = pair(directory, name);
  const [request, extensions] = [join(directory, `${name}.csr`), join(directory, `${name}.ext`)];
  await writeFile(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n');
  await run('openssl', ['req', ...newKey, '-keyout', files.key, '-out', request, '-subj', `/CN=${name}`]);
  await run('openssl', [
    'x509',
    '-req',
    '-in',
    request,
    '-CA',
    authority.cert,
    '-CAkey',
    authority.key,
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    extensions,
    '-out',
    files.cert,
  ]);
  return files;
}
