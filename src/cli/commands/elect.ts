import { hostname } from 'node:os';
import type { Command } from 'commander';
import { addHoldingOptions, type HoldingOptions } from '../holding/options.ts';

interface ElectOptions extends HoldingOptions {
  readonly restart?: boolean;
  readonly value?: string;
}

export function register(command: Command): void {
  addHoldingOptions(command, 'election');
  command
    .option('--value <text>', 'what observers of the election see of this leader (default: host name and process id)')
    .option('--restart', 'stand again when the command has ended, whatever its exit code')
    .action(async (name: string, words: string[], options: ElectOptions) => {
      const { runHeld } = await import('../holding/run-held.ts');
      const { campaign } = await import('../../coordination/election.ts');
      const value = options.value ?? `${hostname()} ${process.pid}`;
      const again = options.restart === true ? 'always' : 'when-lost';
      process.exitCode = await runHeld(
        options,
        words,
        (store, runtime, acquiring) => campaign(store, name, runtime, { ...acquiring, value }),
        again,
      );
    });
}
