import type { Command } from 'commander';
import { addHoldingOptions, type HoldingOptions } from '../holding/options.ts';

export function register(command: Command): void {
  addHoldingOptions(command, 'lock');
  command.action(async (name: string, words: string[], options: HoldingOptions) => {
    const { runHeld } = await import('../holding/run-held.ts');
    const { acquireLock } = await import('../../coordination/lock.ts');
    process.exitCode = await runHeld(options, words, (store, runtime, acquiring) => acquireLock(store, name, runtime, acquiring));
  });
}
