import type { Copy, RepairPlan } from './plan.ts';

export type Problem =
  /** Its bytes are not what was written. */
  | 'damaged'
  /** Others have it, this part does not. */
  | 'missing'
  /** It has what was removed, replaced, or a shard that another part has too. */
  | 'outdated'
  /** It is there, and the part's list does not tell of it; or the other way round. */
  | 'list-lies'
  /** Nothing can rebuild it. */
  | 'lost'
  /** Too few shards to make an object: of a write or removal that was not finished, or what is left of a loss. */
  | 'remnant'
  /** As many copies say this as say that. */
  | 'conflict'
  /** Who had to be asked did not answer. */
  | 'unknown';

export interface Finding {
  readonly key: string;
  /** The part; the combined location itself where it is about the object as a whole. */
  readonly location: string;
  readonly problem: Problem;
  readonly message: string;
  /** Whether it is as it should be now. */
  readonly healed: boolean;
}

export interface PartProblem {
  readonly part: number;
  readonly problem: Problem;
  readonly message: string;
}

/** What is wrong with an object, part by part. Pure. */
export function findProblems(copies: readonly Copy[], plan: RepairPlan): PartProblem[] {
  const targets = new Set(plan.verdict === 'write' || plan.verdict === 'remove' ? plan.targets.map(({ part }) => part) : []);
  return copies.flatMap((copy, part): PartProblem[] => {
    if (copy.state === 'damaged') return [{ part, problem: 'damaged', message: copy.why }];
    if (!targets.has(part)) return [];
    if (copy.state === 'absent') return [{ part, problem: 'missing', message: 'the others have it' }];
    const message = plan.verdict === 'remove' ? 'it was removed from the others' : 'the others have another version of it';
    return [{ part, problem: 'outdated', message }];
  });
}

/** What is wrong with the object as a whole, after what could be healed was. */
export function findLoss(verdict: RepairPlan['verdict'], why: string): { readonly problem: Problem; readonly message: string } | undefined {
  switch (verdict) {
    case 'whole':
    case 'absent':
      return undefined;
    case 'lost':
    case 'remnant':
    case 'conflict':
      return { problem: verdict, message: why };
    case 'write':
    case 'remove':
    case 'wait':
      return { problem: 'unknown', message: why };
  }
}
