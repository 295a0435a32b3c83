import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { CommandEntry } from './command-table.ts';
import { commandTable } from './command-table.ts';
import { describeFailure, failureJson, failureOf } from './failure.ts';

/**
 * Runs one command line and returns the exit code; `process.exitCode` set by the command counts when nothing was thrown.
 * Only the module of the command that is asked for is loaded, so that help and errors stay quick.
 */
export async function main(argv: readonly string[], table: Readonly<Record<string, CommandEntry>> = commandTable): Promise<number> {
  process.stdout.off('error', endWithoutReader).on('error', endWithoutReader);
  try {
    await (await buildProgram(argv, table)).parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    const failure = failureOf(error);
    if (typeof failure === 'number') return failure;
    if (wantsJson(argv)) process.stdout.write(failureJson(failure));
    else process.stderr.write(describeFailure(failure));
    if (process.env['HOLDFAST_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return failure.exitCode;
  }
}

/** A reader that has seen enough (`holdfast … | head`) is no error. */
function endWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}

async function buildProgram(argv: readonly string[], table: Readonly<Record<string, CommandEntry>>): Promise<Command> {
  const program = new Command('holdfast')
    .description('Keeps PostgreSQL and other stateful services up, gets them back, and proves both.')
    .version(packageVersion(), '-V, --version')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError(false)
    .addHelpText(
      'after',
      '\nEvery command takes --json and --help. Exit code 0: done; 1: the answer is no; 2: wrong usage or configuration.',
    );
  const wanted = wantedCommand(argv);
  for (const [name, entry] of Object.entries(table)) {
    const command = program.command(name).description(entry.summary);
    if (name !== wanted) continue;
    (await entry.load()).register(command);
    forEachLeaf(command, addJsonOption);
  }
  forEachCommand(program, (command) => {
    command.exitOverride().configureOutput({ outputError: () => {} });
  });
  return program;
}

/** The command whose module is needed: the first word, or the word after `help`. */
function wantedCommand(argv: readonly string[]): string | undefined {
  const words = argv.filter((argument) => !argument.startsWith('-'));
  return words[0] === 'help' ? words[1] : words[0];
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

function forEachLeaf(command: Command, visit: (command: Command) => void): void {
  forEachCommand(command, (each) => each.commands.length === 0 && visit(each));
}

function addJsonOption(command: Command): void {
  if (!command.options.some((option) => option.long === '--json')) command.option('--json', 'print JSON, also for errors');
}

/** The same depth in src/cli and dist/cli. */
function packageVersion(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
