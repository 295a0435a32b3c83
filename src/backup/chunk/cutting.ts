import { createFixedCutter, type Cutter, type Cutting } from './cutter.ts';
import { createFastCdc } from './fast-cdc.ts';

/** A cutter for one stream. */
export function cutterOf(cutting: Cutting): Cutter {
  return cutting.kind === 'fixed' ? createFixedCutter(cutting.sizeBytes) : createFastCdc(cutting.gear);
}
