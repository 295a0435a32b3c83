import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import type { CommonOptions } from '../command.ts';
import { printJson, printLine } from '../print.ts';
import { modelLines } from '../model/print.ts';
import { readModelFile } from '../model/read.ts';
import { requireOther, writeOutput } from '../model/write-output.ts';
import { paintFor } from '../terminal/style.ts';
import type { ModelAnswer } from '../../model/file/answer.ts';
import type { Model } from '../../model/file/schema.ts';
import { evaluateModel, simulationOf } from '../../model/file/evaluate.ts';
import type { Method } from '../../model/file/method.ts';
import { methods } from '../../model/file/method.ts';
import { parseHours } from '../../model/file/quantities.ts';
import { simulateInWorkers } from '../../model/workers/simulation-pool.ts';
import { modelJsonSchema } from '../../model/file/schema.ts';

/** Threads of a simulation. */
const workersMax = 16;

interface ModelOptions extends CommonOptions {
  readonly method?: string;
  readonly at?: readonly string[];
  readonly compare?: boolean;
  readonly html?: string;
  readonly schema?: boolean;
}

export function register(command: Command): void {
  command
    .argument('[file]', 'the model, YAML or JSON: docs/model.md')
    .option('--method <method>', `force one: ${methods.join(', ')}`)
    .option('--at <time...>', 'also at this time after all was new, such as 1000h or 1y')
    .option('--compare', 'also by every other method that can, with the difference')
    .option('--html <file>', 'also write a page with diagrams and curves: one file, for browsers and print')
    .option('--schema', 'print the JSON Schema of model files, for editors')
    .action(run);
}

async function run(file: string | undefined, options: ModelOptions): Promise<void> {
  if (options.schema) return printJson(modelJsonSchema());
  if (file === undefined)
    throw new HoldfastError('CLI_USAGE', 'the model file is missing', {
      hint: 'holdfast model FILE; docs/model.md shows what it looks like.',
    });
  if (options.html !== undefined) requireOther(options.html, file);
  const asked = {
    ...(options.method === undefined ? {} : { method: methodNamed(options.method) }),
    at: (options.at ?? []).map(timeOf),
    compare: options.compare ?? false,
  };
  const model = readModelFile(file);
  const task = simulationOf(model, asked);
  const played =
    task && (await simulateInWorkers(task.system, task.options, task.random, { workers: Math.min(workersMax, availableParallelism()) }));
  const answer = evaluateModel(model, { ...asked, ...(played ? { played } : {}) });
  if (options.html !== undefined) await writePage(options.html, model, answer);
  if (options.json) return printJson(answer);
  for (const line of modelLines(answer, paintFor(process.stdout), process.stdout.columns ?? Infinity)) printLine(line);
}

/** Loaded only where it is asked for: most calls draw nothing. */
async function writePage(path: string, model: Model, answer: ModelAnswer): Promise<void> {
  const [{ modelPage }, { curvesOf }] = await Promise.all([import('../../model/html/model-page.ts'), import('../../model/file/curves.ts')]);
  writeOutput(path, modelPage(model, answer, curvesOf(model, answer)));
}

function methodNamed(name: string): Method {
  const found = methods.find((method) => method === name);
  if (found) return found;
  throw new HoldfastError('CLI_USAGE', `there is no method '${name}'`, { hint: `Name one of ${methods.join(', ')}.` });
}

function timeOf(text: string): number {
  const found = parseHours(text.trim());
  if (found !== undefined && found > 0) return found;
  throw new HoldfastError('CLI_USAGE', `'${text}' is no time`, {
    hint: 'Write a duration above 0 with its unit, such as 1000h, 30d or 1y.',
  });
}
