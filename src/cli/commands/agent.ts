import type { Command } from 'commander';
import { Agent, type Ending } from '../../agent/agent.ts';
import { findConfig, loadConfig } from '../../config/load.ts';
import { createClock, createRuntime } from '../../runtime/index.ts';
import type { CommonOptions } from '../command.ts';

interface AgentOptions extends CommonOptions {
  readonly config?: string;
  readonly stopWithStdin?: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export function register(command: Command): void {
  command
    .option('-c, --config <file>', 'configuration (default: holdfast.yaml, /etc/holdfast/holdfast.yaml)')
    .option('--log-level <level>', 'debug, info, warn or error', 'info')
    .option('--stop-with-stdin', 'stop when standard input ends: for programs that start agents')
    .addHelpText(
      'after',
      `
Signals:
  SIGTERM  hand leaderships over where another member can take them, stop the databases, exit
  SIGINT   stop the databases, exit
  SIGUSR2  exit and leave the databases running for the next agent (upgrade): it must be back within failover.agentGrace`,
    )
    .action(run);
}

async function run(options: AgentOptions): Promise<void> {
  const config = loadConfig(findConfig(options.config), { clock: createClock() });
  await using runtime = createRuntime({ log: { level: options.logLevel } });
  const ending = new Promise<Ending>((resolve) => {
    process.on('SIGTERM', () => resolve('hand-over'));
    process.on('SIGINT', () => resolve('stop'));
    process.on('SIGUSR2', () => resolve('leave'));
    if (options.stopWithStdin === true) {
      process.stdin.on('end', () => resolve('stop')).on('error', () => resolve('stop'));
      process.stdin.resume();
    }
  });
  const agent = await Agent.start(config, runtime);
  await agent.end(await ending);
  // Standard input may still be open; nothing else is left to wait for.
  process.stdin.destroy();
}
