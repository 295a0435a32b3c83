import type { CallOptions, Location } from '../../storage/index.ts';
import { listFiles } from '../documents/files.ts';
import { headerBytes } from '../pack/header.ts';
import type { FileId } from '../repository.ts';
import { type Damages, straysMax } from './report.ts';
import type { Verdicts } from './verdicts.ts';

/** What the location has of packs, beside what the index says. */
export interface PackFindings {
  /** By the ordinal of a pack: its size as it is; -1 when it is not there. */
  readonly sizes: Float64Array;
  readonly bytes: number;
  readonly strays: readonly FileId[];
}

/** Looks for every pack that the index names, with the size that its blobs and header make up; blobs that can not be there are marked. */
export async function checkPacks(location: Location, verdicts: Verdicts, damages: Damages, options: CallOptions): Promise<PackFindings> {
  const { table } = verdicts;
  const sizes = new Float64Array(table.packCount).fill(-1);
  const strays: FileId[] = [];
  let bytes = 0;
  for await (const { id, sizeBytes } of listFiles(location, 'data', options)) {
    bytes += sizeBytes;
    const pack = table.packOrdinalOf(id);
    if (pack >= 0) sizes[pack] = sizeBytes;
    else if (strays.length < straysMax) strays.push(id);
  }
  const expected = expectedSizes(verdicts);
  for (let pack = 0; pack < sizes.length; pack += 1) {
    if (sizes[pack] === -1) damages.add('pack', table.packId(pack), 'is not there');
    else if (sizes[pack] !== expected[pack])
      damages.add('pack', table.packId(pack), `has ${sizes[pack]} bytes; it was written with ${expected[pack]}`);
  }
  markUnreachable(verdicts, sizes);
  return { sizes, bytes, strays };
}

/** Sizes of packs by what the index says of them, by their ordinals. */
function expectedSizes({ table }: Verdicts): Float64Array {
  const sizes = new Float64Array(table.packCount).fill(headerBytes([]));
  const entryBytes = [false, true].map((compressed) => headerBytes([{ compressed }]) - headerBytes([]));
  for (let ordinal = 0; ordinal < table.size; ordinal += 1) {
    const { sizeBytes, compressed } = table.place(ordinal);
    sizes[table.packOf(ordinal)]! += sizeBytes + entryBytes[compressed ? 1 : 0]!;
  }
  return sizes;
}

function markUnreachable(verdicts: Verdicts, sizes: Float64Array): void {
  const { table } = verdicts;
  for (let ordinal = 0; ordinal < table.size; ordinal += 1) {
    const { offset, sizeBytes } = table.place(ordinal);
    if (offset + sizeBytes > sizes[table.packOf(ordinal)]!) verdicts.markBad(ordinal);
  }
}
