import { messageOf, HoldfastError } from '../../core/errors.ts';
import { readDocument } from '../../config/document.ts';
import { explain } from '../../config/explain.ts';
import type { Finding } from '../../config/problem.ts';
import { ConfigError } from '../../config/problem.ts';
import { readTextFile } from '../../config/read-file.ts';
import { checkModel } from '../../model/file/check.ts';
import type { Model } from '../../model/file/schema.ts';
import { modelSchema } from '../../model/file/schema.ts';

/** A fault tree of some thousand gates has a megabyte. */
const fileBytesMax = 64 * 1024 * 1024;

const hint = 'Correct the lines above; docs/model.md and holdfast model --schema describe every key.';

/**
 * A model file, YAML or JSON; everything that is wrong with it is told at once, with its line.
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function readModelFile(file: string): Model {
  return readModelText(textOf(file), file);
}

/** As `readModelFile`, of text that is there already. */
export function readModelText(text: string, file: string): Model {
  const document = readDocument(text);
  if (!('place' in document)) throw new ConfigError(file, document, hint);
  const { data, error } = modelSchema.safeParse(document.value);
  const findings: readonly Finding[] = error
    ? error.issues.flatMap((issue) => explain(issue, modelSchema, document.value))
    : checkModel(data);
  if (findings.length === 0) return data!;
  throw new ConfigError(
    file,
    findings.map((finding) => document.place(finding)),
    hint,
  );
}

function textOf(file: string): string {
  try {
    return readTextFile(file, fileBytesMax).text;
  } catch (error) {
    throw new HoldfastError('CONFIG_UNREADABLE', `${file} can not be used: ${messageOf(error)}`, {
      hint: 'Name a readable model file.',
      cause: error,
    });
  }
}
