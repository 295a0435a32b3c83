import type { Command } from 'commander';
import { formatConfig } from '../../config/format.ts';
import { configJsonSchema } from '../../config/json-schema.ts';
import { checkText, findConfig, loadConfig } from '../../config/load.ts';
import { configSchema } from '../../config/schema.ts';
import { withDefaults } from '../../config/schema-walk.ts';
import { createClock } from '../../runtime/clock.ts';
import type { CommonOptions } from '../command.ts';
import { printJson, printLine } from '../print.ts';

const fileHelp = 'the configuration; else that of HOLDFAST_CONFIG, ./holdfast.yaml or /etc/holdfast/holdfast.yaml';

export function register(command: Command): void {
  command
    .command('check')
    .description('judge a configuration with its secrets and certificates')
    .argument('[file]', fileHelp)
    .option('--text-only', 'look at the text alone, not at the environment, secrets and certificates: for the file of another machine')
    .action(check);
  command
    .command('show')
    .description('print a configuration with all defaults filled in; secrets stay references')
    .argument('[file]', fileHelp)
    .action(show);
  command
    .command('schema')
    .description('print its JSON Schema, for editors')
    .action(() => printJson(configJsonSchema()));
}

function check(named: string | undefined, options: CommonOptions & { textOnly?: boolean }): void {
  const file = findConfig(named);
  const config = options.textOnly ? checkText(file).config : loadConfig(file, { clock: createClock(), strict: true });
  const services = Object.keys(config.services);
  if (options.json) printJson({ file, valid: true, cluster: config.cluster, node: config.node.name, services });
  else printLine(`${file} is right: node ${config.node.name} of cluster ${config.cluster}, services ${services.join(', ') || 'none'}`);
}

function show(named: string | undefined, options: CommonOptions): void {
  const filled = withDefaults(configSchema, checkText(findConfig(named)).written);
  if (options.json) printJson(filled);
  else process.stdout.write(formatConfig(filled));
}
