import { messageOf, HoldfastError } from '../../core/errors.ts';
import { readDocument } from '../../config/document.ts';
import { explain } from '../../config/explain.ts';
import type { Finding } from '../../config/problem.ts';
import { ConfigError } from '../../config/problem.ts';
import { readTextFile } from '../../config/read-file.ts';
import type { z } from 'zod';
import { checkRequirements } from '../../model/advice/check.ts';
import type { Requirements } from '../../model/advice/schema.ts';
import { requirementsSchema, withCatalogue } from '../../model/advice/schema.ts';
import { checkModel } from '../../model/file/check.ts';
import type { Model } from '../../model/file/schema.ts';
import { modelSchema } from '../../model/file/schema.ts';

/** A fault tree of some thousand gates has a megabyte. */
const fileBytesMax = 64 * 1024 * 1024;

/** A kind of file: its schema, what the schema can not see, and where it is described. */
interface FileKind<T> {
  readonly schema: z.ZodType<T>;
  /** What the schema is to judge instead of what was written. */
  readonly completed?: (written: unknown) => unknown;
  readonly check: (data: T) => readonly Finding[];
  readonly hint: string;
}

const modelKind: FileKind<Model> = {
  schema: modelSchema,
  check: checkModel,
  hint: 'Correct the lines above; docs/model.md and holdfast model --schema describe every key.',
};

const needsKind: FileKind<Requirements> = {
  schema: requirementsSchema,
  completed: withCatalogue,
  check: checkRequirements,
  hint: 'Correct the lines above; docs/model.md and holdfast advise --schema describe every key.',
};

/**
 * A model file, YAML or JSON; everything that is wrong with it is told at once, with its line.
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function readModelFile(file: string): Model {
  return readModelText(textOf(file), file);
}

/** As `readModelFile`, of text that is there already. */
export function readModelText(text: string, file: string): Model {
  return readText(text, file, modelKind);
}

/**
 * A file of needs for `holdfast advise`, as `readModelFile`.
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function readNeedsFile(file: string): Requirements {
  return readNeedsText(textOf(file), file);
}

/** As `readNeedsFile`, of text that is there already. */
export function readNeedsText(text: string, file: string): Requirements {
  return readText(text, file, needsKind);
}

function readText<T>(text: string, file: string, { schema, completed = (written) => written, check, hint }: FileKind<T>): T {
  const document = readDocument(text);
  if (!('place' in document)) throw new ConfigError(file, document, hint);
  const written = completed(document.value);
  const { data, error } = schema.safeParse(written);
  const findings = error ? error.issues.flatMap((issue) => explain(issue, schema, written)) : check(data);
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
      hint: 'Name a readable file.',
      cause: error,
    });
  }
}
