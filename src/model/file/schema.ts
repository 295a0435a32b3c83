import { z } from 'zod';
import { expressionSchema } from './expression.ts';
import { lawSchema } from './law.ts';
import { amount, bytes, delay, duration, factor, probability, rate, transferRate } from './quantities.ts';

// The model file. Every value is written as people do and read into hours, or per hour; `z.encode` writes it back without loss.

const nameForm = /^\p{L}[\p{L}\p{N}_-]*$/u;
/** A reference may also be to a copy, `disk.2`, or to all of them, `disk.*`. */
const referenceForm = /^\p{L}[\p{L}\p{N}_-]*(?:\.(?:\d+|\*))?$/u;
const name = () => z.string().max(100).regex(nameForm, 'must be a name: a letter, then letters, digits, _ or -');
const names = () =>
  z
    .array(z.string().max(120).regex(referenceForm, 'must be the name of a component, name.2 of its second copy, or name.* of all'))
    .min(1)
    .max(10_000);

/** How a part fails: exactly one of these. */
const failure = {
  rate: rate().optional().describe('failures per time, while it works'),
  mtbf: duration().optional().describe('mean time to failure, counted from the last repair'),
  afr: probability().optional().describe('annual failure rate: the probability to fail within a year of 365 days'),
  probability: probability().optional().describe('that it is failed, at any time'),
  unavailability: probability().optional(),
  availability: probability().optional(),
  weibull: z.strictObject({ shape: factor(), scale: duration(), delay: delay().optional() }).optional(),
  lognormal: z.strictObject({ median: duration(), sigma: factor() }).optional(),
} as const;

export const failureKinds = Object.keys(failure) as (keyof typeof failure)[];

/** What becomes of it then: at most one of these. */
const afterwards = {
  mttr: lawSchema.optional().describe('time to repair: its mean, or a law'),
  mission: duration().optional().describe('not repaired, and looked at after this time of its own'),
  test: z
    .strictObject({ every: duration(), takes: delay().optional(), repair: delay().optional(), first: delay().optional() })
    .optional()
    .describe('failures show only in a test, every so often'),
} as const;

export const componentSchema = z
  .strictObject({
    ...failure,
    ...afterwards,
    frequency: rate().optional().describe('how often it fails, where a probability is given'),
    count: z.int().min(1).max(10_000).optional().describe('so many alike: name.1, name.2 …; name.* stands for all'),
    note: z.string().max(1000).optional(),
  })
  .superRefine((component, context) => {
    const problem = (message: string, path: string[] = []) => context.addIssue({ code: 'custom', message, path });
    const given = failureKinds.filter((key) => component[key] !== undefined);
    if (given.length === 0) return problem(`must say how it fails: ${failureKinds.join(', ')}`);
    if (given.length > 1) return problem(`says twice how it fails: ${given.join(' and ')}`, [given[1]!]);
    const later = (['mttr', 'mission', 'test'] as const).filter((key) => component[key] !== undefined);
    if (later.length > 1) return problem(`can not stand beside ${later[0]}`, [later[1]!]);
    const [how] = given;
    const fixed = how === 'probability' || how === 'availability' || how === 'unavailability';
    if (fixed && later.length > 0)
      return problem(`has no meaning beside ${how}, which is the same at any time; give a rate or an mtbf`, [later[0]!]);
    if (!fixed && component.frequency !== undefined) return problem(`is for probabilities; of ${how} it follows`, ['frequency']);
    if (component.afr === 1) return problem('must be below 1: what fails for certain within a year has no rate', ['afr']);
    const exponential = how === 'rate' || how === 'mtbf' || how === 'afr';
    if (!exponential && (later[0] === 'mission' || later[0] === 'test')) problem(`needs a rate, mtbf or afr, not ${how}`, [later[0]]);
  });

export const commonCauseSchema = z
  .strictObject({
    members: names(),
    beta: probability().optional().describe('share of failures that take all members'),
    mgl: z.array(probability()).min(1).max(19).optional().describe('beta, gamma, delta …'),
    alpha: z.array(probability()).min(1).max(20).optional().describe('shares of failures that take 1, 2, … members'),
    testing: z.enum(['staggered', 'simultaneous']).optional().describe('of alpha; default simultaneous'),
    phi: z.array(probability()).min(1).max(20).optional(),
    basic: z.array(probability()).min(1).max(20).optional().describe('probabilities Q1, Q2 … themselves'),
  })
  .superRefine((group, context) => {
    const given = (['beta', 'mgl', 'alpha', 'phi', 'basic'] as const).filter((key) => group[key] !== undefined);
    if (given.length !== 1)
      context.addIssue({
        code: 'custom',
        message: `must have one of beta, mgl, alpha, phi, basic${given.length > 1 ? `, not ${given.join(' and ')}` : ''}`,
      });
    if (group.testing !== undefined && group.alpha === undefined)
      context.addIssue({ code: 'custom', path: ['testing'], message: 'belongs to alpha' });
  });

/** A place that fails as a whole, with all that is in it. */
export const siteSchema = z.strictObject({
  members: names(),
  rate: rate().optional(),
  mtbf: duration().optional(),
  mttr: lawSchema.optional(),
  probability: probability().optional(),
  availability: probability().optional(),
});

export const repairSchema = z
  .strictObject({
    crews: z.int().min(1).max(10_000).optional().describe('who repair one part each at a time; default: one for every part'),
    discipline: z.enum(['fifo', 'priority', 'preemptive']).optional().describe('default: priority where there is one, else as they failed'),
    priority: names().optional().describe('who is repaired first; others after them, in order of failure'),
  })
  .superRefine(({ crews, discipline, priority }, context) => {
    if (crews !== undefined) return;
    for (const [key, value] of Object.entries({ discipline, priority })) {
      if (value !== undefined)
        context.addIssue({ code: 'custom', path: [key], message: 'has no meaning without crews: every part has one of its own then' });
    }
  });

export const standbySchema = z.strictObject({
  active: names().describe('parts that work'),
  spares: names().describe('parts that take over, in this order'),
  dormancy: probability().optional().describe('failure rate of a waiting spare, as a share of a working one: 1 hot (default), 0 cold'),
  switching: probability().optional().describe('probability that a take-over succeeds; default 1'),
  takeover: lawSchema.optional().describe('how long a take-over lasts; default none'),
  recovery: lawSchema.optional().describe('how long it takes to put right a take-over that failed'),
});

export const chainSchema = z.strictObject({
  states: z
    .record(
      name(),
      z.union([
        z.enum(['up', 'down']),
        z.strictObject({ up: z.boolean().optional(), reward: amount().optional(), initial: probability().optional() }),
      ]),
    )
    .describe('in order; the first is where it begins, unless some say otherwise'),
  transitions: z.record(z.string().regex(/^\s*\S+\s*->\s*\S+\s*$/, "must be of the form 'from -> to'"), rate()),
  compute: z.array(z.enum(['steady-state', 'transient', 'survival', 'absorption'])).optional(),
});

export const storageSchema = z
  .strictObject({
    mirror: z.int().min(1).max(1000).optional().describe('so many whole copies'),
    data: z.int().min(1).max(10_000).optional(),
    parity: z.int().min(0).max(10_000).optional(),
    groups: z.int().min(1).max(1_000_000_000).optional().describe('so many independent sets; default 1'),
    rate: rate().optional(),
    mtbf: duration().optional(),
    afr: probability().optional(),
    repair: duration().describe('mean time until a lost fragment is there again'),
    crews: z.int().min(1).optional().describe('fragments mended at the same time; default: all'),
    sites: z
      .strictObject({
        fragments: z.array(z.int().min(1)).min(1).max(1000).describe('of a set at each site'),
        rate: rate().describe('losses of one site'),
      })
      .optional(),
    latent: probability().optional().describe('probability that a rebuild meets an unreadable fragment it can not do without'),
    bytes: bytes().optional().describe('what is stored, for the expected loss'),
  })
  .superRefine((code, context) => {
    const kinds = ['mirror', 'data'].filter((key) => code[key as 'mirror' | 'data'] !== undefined);
    if (kinds.length !== 1) context.addIssue({ code: 'custom', message: 'must be either mirror: COPIES, or data: K with parity: M' });
    if ((code.data === undefined) !== (code.parity === undefined))
      context.addIssue({ code: 'custom', message: 'data and parity belong together' });
    const fragments = code.mirror ?? (code.data ?? 0) + (code.parity ?? 0);
    const placed = code.sites?.fragments.reduce((sum, count) => sum + count, 0);
    if (kinds.length === 1 && placed !== undefined && placed !== fragments) {
      context.addIssue({
        code: 'custom',
        path: ['sites', 'fragments'],
        message: `must add up to the ${fragments} fragments of a set, not ${placed}`,
      });
    }
    const rates = ['rate', 'mtbf', 'afr'].filter((key) => code[key as 'rate' | 'mtbf' | 'afr'] !== undefined);
    if (rates.length !== 1)
      context.addIssue({ code: 'custom', message: 'must say how its disks or locations fail by one of rate, mtbf, afr' });
  });

export const recoverySchema = z
  .strictObject({
    detect: lawSchema.optional(),
    decide: lawSchema.optional(),
    provision: lawSchema.optional(),
    bytes: bytes().optional(),
    rate: transferRate().optional().describe('of copying back'),
    start: lawSchema.optional().describe('start-up of what replays'),
    rampup: amount().optional().describe('time of replay per time of history'),
    history: lawSchema.optional().describe('that is replayed: from the base backup to the target'),
    verify: lawSchema.optional(),
    cutover: lawSchema.optional(),
    loss: delay().optional().describe('history that is lost (RPA)'),
    reentry: amount().optional().describe('time to enter again what was lost, per time of it'),
    objective: duration().optional().describe('the RTO to compare with'),
  })
  .superRefine(({ bytes: copied, rate: speed, rampup, history, loss, reentry }, context) => {
    const together = (given: unknown, missing: unknown, path: string, message: string) => {
      if (given !== undefined && missing === undefined) context.addIssue({ code: 'custom', path: [path], message });
    };
    together(copied, speed, 'bytes', 'need a rate at which they are copied back');
    together(speed, copied, 'rate', 'has no meaning without bytes');
    together(rampup, history, 'rampup', 'has no meaning without the history that is replayed');
    together(history, rampup, 'history', 'needs a rampup: time of replay per time of history');
    together(reentry, loss, 'reentry', 'has no meaning without a loss');
  });

export const modelSchema = z.strictObject({
  name: z.string().max(200).optional(),
  horizon: duration().optional().describe('default 1y: 365 days'),
  at: z.array(duration()).max(1000).optional().describe('times to look at, after all was new'),
  components: z.record(name(), componentSchema).optional(),
  parts: z.record(name(), expressionSchema).optional().describe('expressions that others name'),
  structure: expressionSchema.optional().describe('when the system fails'),
  commonCause: z.record(name(), commonCauseSchema).optional(),
  sites: z.record(name(), siteSchema).optional(),
  repair: repairSchema.optional(),
  standby: z.record(name(), standbySchema).optional(),
  chains: z.record(name(), chainSchema).optional(),
  storage: z.record(name(), storageSchema).optional(),
  recovery: z.record(name(), recoverySchema).optional(),
  compute: z
    .array(z.enum(['availability', 'failures', 'survival', 'cut-sets', 'importance']))
    .optional()
    .describe('of the structure; default: all'),
  simulation: z
    .strictObject({
      seed: z.int().min(0).optional(),
      runs: z.int().min(1).max(100_000_000).optional(),
      precision: probability().optional(),
    })
    .optional(),
});

/** A model as it stands in a file. */
export type ModelInput = z.input<typeof modelSchema>;
/** A model in hours. */
export type Model = z.output<typeof modelSchema>;
export type Component = z.output<typeof componentSchema>;

/** JSON Schema (2020-12) of the model file as a person writes it, for editors. */
export function modelJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(modelSchema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      delete jsonSchema['kind'];
    },
  });
  return { ...schema, title: 'Holdfast model' };
}

/** The model in the notation of the file; reading that gives the same model again. */
export function writeModel(model: Model): ModelInput {
  return z.encode(modelSchema, model);
}
