import { join } from 'node:path';
import type { Command } from 'commander';
import { formatConfig } from '../../config/format.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Advice, AdvisedDesign } from '../../model/advice/advise.ts';
import { advise } from '../../model/advice/advise.ts';
import { adviceReport } from '../../model/advice/report.ts';
import { requirementsJsonSchema } from '../../model/advice/schema.ts';
import type { CommonOptions } from '../command.ts';
import { reportLines } from '../model/print.ts';
import { readNeedsFile } from '../model/read.ts';
import { requireOther, writeOutput } from '../model/write-output.ts';
import { printJson, printLine } from '../print.ts';
import { paintFor } from '../terminal/style.ts';

interface AdviseOptions extends CommonOptions {
  readonly html?: string;
  readonly write?: string;
  readonly only?: string;
  readonly schema?: boolean;
}

export function register(command: Command): void {
  command
    .argument('[file]', 'what the service needs, YAML or JSON: docs/model.md')
    .option('--html <file>', 'also write a page with an interactive plot: one file, for browsers and print')
    .option('--write <dir>', 'also write each design: holdfast.yaml of every node, and a model for holdfast model')
    .option('--only <design>', 'with --write: this design alone')
    .option('--schema', 'print the JSON Schema of files of needs, for editors')
    .action(run);
}

async function run(file: string | undefined, options: AdviseOptions): Promise<void> {
  if (options.schema) return printJson(requirementsJsonSchema());
  if (file === undefined)
    throw new HoldfastError('CLI_USAGE', 'the file of needs is missing', {
      hint: 'holdfast advise FILE; docs/model.md shows what it looks like.',
    });
  if (options.only !== undefined && options.write === undefined)
    throw new HoldfastError('CLI_USAGE', '--only says what --write is to write', { hint: 'Add --write DIR, or leave out --only.' });
  if (options.html !== undefined) requireOther(options.html, file);
  const advice = advise(readNeedsFile(file));
  if (options.write !== undefined) writeDesigns(options.write, chosen(advice, options.only));
  if (options.html !== undefined) {
    const { advicePage } = await import('../../model/advice/page.ts');
    writeOutput(options.html, advicePage(advice, formatConfig));
  }
  // "The answer is no" where nothing meets what is needed.
  if (advice.meeting === 0) process.exitCode = 1;
  if (options.json) return printJson(advice);
  for (const line of reportLines(adviceReport(advice), paintFor(process.stdout), process.stdout.columns ?? Infinity)) printLine(line);
}

function chosen({ front }: Advice, only: string | undefined): readonly AdvisedDesign[] {
  const found = only === undefined ? front : front.filter(({ id }) => id === only);
  if (found.length > 0) return found;
  throw new HoldfastError('CLI_USAGE', `there is no design '${only}' on the front`, {
    hint: 'Name one of the table, or leave out --only.',
  });
}

/** `DIR/DESIGN/db1.yaml` …, and `model.yaml` beside them. */
function writeDesigns(directory: string, designs: readonly AdvisedDesign[]): void {
  for (const { id, words, configurations, model } of designs) {
    const write = (name: string, about: string, value: unknown) =>
      writeOutput(join(directory, id, name), `# ${about}\n${formatConfig(value)}`, { inNewDirectory: true });
    for (const { node, configuration } of configurations)
      write(`${node}.yaml`, `${words}.\n# Addresses, names of machines and of buckets are examples.`, configuration);
    write('model.yaml', 'holdfast model computes this.', model);
  }
}
