import type { Command } from 'commander';

/** What every file in `commands/` exports. It is imported only when its command, or that command's help, is asked for. */
export interface CommandModule {
  /**
   * Adds arguments, options, subcommands and the action to `command`, which has its name and summary already. `--json` is added to
   * every command by itself; the action reads it as `options.json`.
   *
   * An action that does what it says returns. "The answer is no" sets `process.exitCode = 1`; failures are thrown and printed in one place.
   */
  register(command: Command): void;
}

/** Options that every action receives. */
export interface CommonOptions {
  readonly json?: boolean;
}
