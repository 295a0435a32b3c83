import type { Command } from 'commander';
import { checkText, findConfig, loadConfig } from '../../config/load.ts';
import { ConfigError } from '../../config/problem.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import { hasCode, HoldfastError } from '../../core/errors.ts';
import type { MachineRuntime } from '../../core/runtime.ts';
import { createRuntime } from '../../runtime/index.ts';
import type { CommonOptions } from '../command.ts';
import { inspectBinaries } from '../doctor/binaries.ts';
import { inspectSecurity } from '../doctor/certificates.ts';
import { inspectClockSync } from '../doctor/clock-sync.ts';
import { inspectDirectories } from '../doctor/directories.ts';
import type { Finding, Level } from '../doctor/finding.ts';
import { findingsOf } from '../doctor/finding.ts';
import { inspectLocations } from '../doctor/locations.ts';
import { inspectMachine } from '../doctor/machine.ts';
import { inspectNetwork } from '../doctor/network.ts';
import { inspectCoordination } from '../doctor/coordination.ts';
import { printJson, printLine } from '../print.ts';

/** What the agent opens besides its routers' connections. */
const filesOfAgent = 512;

export function register(command: Command): void {
  command
    .argument('[file]', 'the configuration; else that of HOLDFAST_CONFIG, ./holdfast.yaml or /etc/holdfast/holdfast.yaml')
    .addHelpText(
      'after',
      '\nChanges nothing but what opening a location does: a directory is marked as found, and parts that are behind catch up. Exit code 1 when something fails.',
    )
    .action(diagnose);
}

async function diagnose(file: string | undefined, options: CommonOptions): Promise<void> {
  await using runtime = createRuntime({ log: { level: 'error' } });
  const { config, isRight = false, findings: ofFile } = readConfig(file, runtime);
  const findings = [
    ...ofFile,
    ...inspectMachine(filesNeeded(config)),
    ...(await inspectClockSync(runtime.processes)),
    ...(config ? await inspectConfigured(config, runtime) : []),
    // Whose secrets were not read can not be asked.
    ...(config && isRight ? await inspectLocations(config, runtime) : []),
  ];
  const failed = findings.some(({ level }) => level === 'fail');
  if (options.json) printJson({ fit: !failed, findings });
  else printFindings(findings);
  if (failed) process.exitCode = 1;
}

/** The configuration as far as it can be read, and what is wrong with it. */
function readConfig(
  named: string | undefined,
  runtime: MachineRuntime,
): { config?: HoldfastConfig; isRight?: boolean; findings: readonly Finding[] } {
  const { ok, warn, fail } = findingsOf('configuration');
  let config: HoldfastConfig | undefined;
  try {
    const file = findConfig(named);
    config = checkText(file).config;
    config = loadConfig(file, { clock: runtime.clock });
    return { config, isRight: true, findings: [ok(`${file} is right`)] };
  } catch (error) {
    const found = config === undefined ? {} : { config };
    if (error instanceof ConfigError) {
      return {
        ...found,
        findings: error.problems.map(({ line, column, path, message }) => fail(`${error.file}:${line}:${column} ${path}: ${message}`, '')),
      };
    }
    if (named === undefined && hasCode(error, 'CONFIG_UNREADABLE'))
      return { findings: [warn('none found: only the machine is looked at', error.hint)] };
    if (error instanceof HoldfastError) return { ...found, findings: [fail(error.message, error.hint)] };
    throw error;
  }
}

async function inspectConfigured(config: HoldfastConfig, runtime: MachineRuntime): Promise<readonly Finding[]> {
  const asked = await Promise.all([
    inspectBinaries(config, runtime.processes),
    inspectNetwork(config, runtime.clock),
    inspectCoordination(config, runtime),
  ]);
  return [...inspectSecurity(config, runtime.clock), ...inspectDirectories(config), ...asked.flat()];
}

/** Two for each connection that a router may carry, on each of its ports. */
function filesNeeded(config: HoldfastConfig | undefined): number {
  const routers = Object.values(config?.services ?? {}).flatMap(({ router }) => (router ? [router] : []));
  return routers.reduce(
    (sum, router) => sum + 2 * router.maxConnections * (Number(router.write !== undefined) + Number(router.read !== undefined)),
    filesOfAgent,
  );
}

const marks: Readonly<Record<Level, string>> = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' };

function printFindings(findings: readonly Finding[]): void {
  for (const { area, level, message, hint } of findings) {
    printLine(`${marks[level]}  ${area}: ${message}`);
    if (hint) printLine(`      → ${hint}`);
  }
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length;
  printLine(`\n${count('ok')} ok, ${count('warn')} warnings, ${count('fail')} failures`);
}
