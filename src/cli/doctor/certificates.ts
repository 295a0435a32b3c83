import { inspectCertificates } from '../../config/certificates.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import { certifiedNames } from '../../core/certificate-chain.ts';
import type { Clock } from '../../core/clock.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './finding.ts';

const dayMs = 86_400_000;
const daysLeftLow = 30;
const remedy = 'Make a new one with holdfast certificates.';

/** For how long the certificates of this node, and those that sign it, still last. Whether they fit is judged with the configuration. */
export function inspectSecurity({ security, node }: HoldfastConfig, clock: Clock): readonly Finding[] {
  const { ok, warn, fail } = findingsOf('certificates');
  const { chain, untimely } = inspectCertificates(security, node.name, clock.wallMs());
  const lasting = chain.flatMap((certificate) => {
    const daysLeft = Math.floor((certificate.validToDate.getTime() - clock.wallMs()) / dayMs);
    const text = `${[...certifiedNames(certificate)][0] ?? certificate.subject} is valid for ${daysLeft} more days`;
    if (daysLeft < 0) return [];
    return [daysLeft < daysLeftLow ? warn(text, remedy) : ok(text)];
  });
  return [...untimely.map(({ message }) => fail(message, remedy)), ...lasting];
}
