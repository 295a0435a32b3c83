import type { FilePart } from '../repository.ts';

/** What is read of a file, one part behind the other, as a stream. */
export interface PartsToRead {
  /** In order, as few as can be; undefined where it is not known before how much there is. */
  readonly parts: readonly FilePart[] | undefined;
  /** Where the stream's byte at `position` lies in the file, and how many follow it there. */
  at(position: number): { readonly offset: number; readonly sizeBytes: number };
}

export function wholeFile(sizeBytes: number): PartsToRead {
  return { parts: [{ from: 0, to: sizeBytes }], at: (position) => ({ offset: position, sizeBytes: sizeBytes - position }) };
}

/** One that may have more than it says, but no more than this is read. */
export function unknownFile(bytesMax: number): PartsToRead {
  return { ...wholeFile(bytesMax), parts: undefined };
}
