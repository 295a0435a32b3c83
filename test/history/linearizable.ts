// npm run linearizable -- FILE…
// Says of each recorded history whether it is linearizable. Exit code: 0 all are; 1 one is not; 2 one is unknown or can not be read.
import { readFile } from 'node:fs/promises';
import { createClock } from '../../src/runtime/index.ts';
import { checkLinearizable, type Limits, type Verdict } from './check.ts';
import { explain } from './explain.ts';
import { parseJepsenLog } from './jepsen-log.ts';
import { type Consumer, readJsonLines } from './json-lines.ts';
import { register } from './models/register.ts';

/** Time for one file. */
const limitMs = 60_000;
const limits: Limits = { clock: createClock(), limitMs, stepsMax: 50_000_000 };

const judge: Consumer<{ verdict: Verdict; text: string }> = ({ model, operations }) => {
  const { verdict, failure } = checkLinearizable(model, operations, limits);
  return { verdict, text: failure === undefined ? '' : explain(model, failure) };
};

async function main(files: readonly string[]): Promise<number> {
  if (files.length === 0) {
    process.stderr.write('Which histories? npm run linearizable -- FILE…\n');
    return 2;
  }
  let code = 0;
  for (const file of files) {
    try {
      const text = await readFile(file, 'utf8');
      const { verdict, text: why } = text.startsWith('{')
        ? readJsonLines(text, judge)
        : judge({ model: register, operations: parseJepsenLog(text) });
      process.stdout.write(`${file}: ${verdict}\n${why === '' ? '' : `${why}\n`}`);
      if (verdict === 'not linearizable') code = 1;
      else if (verdict === 'unknown' && code === 0) code = 2;
    } catch (error) {
      process.stderr.write(`${file}: ${error instanceof Error ? error.message : String(error)}\n`);
      if (code === 0) code = 2;
    }
  }
  return code;
}

process.exitCode = await main(process.argv.slice(2));
