import { X509Certificate } from 'node:crypto';

/** The certificates of a PEM text, in its order. @throws what node:crypto throws of a damaged one */
export function certificatesIn(pem: string): X509Certificate[] {
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(([block]) => new X509Certificate(block));
}

/** The node names that a certificate proves: its common name and DNS names. `localhost` is everybody's and proves nothing. */
export function certifiedNames(certificate: X509Certificate): ReadonlySet<string> {
  const commonNames = certificate.subject.split('\n').flatMap((line) => (line.startsWith('CN=') ? [line.slice(3)] : []));
  const alternatives = (certificate.subjectAltName ?? '').split(', ');
  const dnsNames = alternatives.flatMap((entry) => (entry.startsWith('DNS:') ? [entry.slice(4)] : []));
  const names = new Set([...commonNames, ...dnsNames]);
  names.delete('localhost');
  return names;
}

/**
 * The way from `leaf` over certificates of `between` to one of the `authorities`, which is then its last.
 * `trusted` is false when there is none; the chain then ends where it breaks off. Validity in time is not judged.
 */
export function chainOf(
  leaf: X509Certificate,
  between: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): { readonly chain: readonly X509Certificate[]; readonly trusted: boolean } {
  const chain = [leaf];
  for (;;) {
    const top = chain.at(-1)!;
    const authority = authorities.find((candidate) => isIssuer(candidate, top));
    if (authority) return { chain: authority.raw.equals(top.raw) ? chain : [...chain, authority], trusted: true };
    // Each is used once at most, so this ends.
    const next = between.find((candidate) => !chain.includes(candidate) && isIssuer(candidate, top));
    if (!next) return { chain, trusted: false };
    chain.push(next);
  }
}

function isIssuer(candidate: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(candidate) && certificate.verify(candidate.publicKey);
}
