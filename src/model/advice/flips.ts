import type { Design } from './design.ts';
import type { SolvedParts } from './evaluate.ts';
import { Evaluator } from './evaluate.ts';
import type { InputPath } from './inputs.ts';
import { factorMax, scaledInput, uncertainInputs, writtenAt } from './inputs.ts';
import type { Requirements } from './schema.ts';

/** A change of one input from which on another design ranks before the one that is best now. */
export interface Flip {
  /** `worth.downtime`. */
  readonly input: string;
  readonly factor: number;
  /** As the file writes it: now, and from where on. */
  readonly from: string;
  readonly to: string;
}

/** An input is moved by so much to see which way designs move with it. */
const nudge = 1.01;
/** What has to change more than so many times is no assumption that may turn out otherwise. */
const factorLimit = 20;
/** Inputs that are followed up exactly, of those that seem to be the nearest by their slope. */
const candidatesMax = 3;
/** Share of a change to which it is located, and steps after which it is near enough in any case. */
const exactness = 0.01;
const stepsMax = 12;

/**
 * For each design the smallest change of a single input that puts it before the best one: found by the slopes of cost and expected loss, then located by
 * evaluating both anew. Undefined where no input changes enough; for the best one: the nearest of all the others.
 */
export class Sensitivity {
  private readonly input: Requirements;
  private readonly best: Design;
  private readonly solved: SolvedParts;
  private readonly slopes: readonly { readonly path: InputPath; readonly evaluator: Evaluator; readonly best: number }[];

  constructor(input: Requirements, best: Design, solved: SolvedParts) {
    this.input = input;
    this.best = best;
    this.solved = solved;
    const now = new Evaluator(input, solved);
    this.slopes = uncertainInputs(input).map((path) => {
      const evaluator = new Evaluator(scaledInput(input, path, Math.min(nudge, factorMax(input, path))), solved, now);
      return { path, evaluator, best: evaluator.evaluate(best).total };
    });
  }

  /** What would put `design` first. `behind`: by how much it is dearer now, in money. */
  flipOf(design: Design, behind: number): Flip | undefined {
    const near = this.slopes
      .map(({ path, evaluator, best }) => {
        const slope = (evaluator.evaluate(design).total - best - behind) / Math.log(nudge);
        return { path, logarithm: slope === 0 ? Infinity : -behind / slope };
      })
      .filter(({ logarithm }) => Math.abs(logarithm) < 2 * Math.log(factorLimit))
      .toSorted((a, b) => Math.abs(a.logarithm) - Math.abs(b.logarithm))
      .slice(0, candidatesMax);
    for (const { path, logarithm } of near) {
      const flip = this.#locate(design, path, logarithm, behind);
      if (flip) return flip;
    }
    return undefined;
  }

  /** From where on the design is not dearer any more, in the direction of `guess`. */
  #locate(design: Design, path: InputPath, guess: number, behindNow: number): Flip | undefined {
    const direction = Math.sign(guess);
    const limit = Math.min(Math.log(factorLimit), direction > 0 ? Math.log(factorMax(this.input, path)) : Infinity);
    const behindAt = (distance: number) => {
      const evaluator = new Evaluator(scaledInput(this.input, path, Math.exp(direction * distance)), this.solved);
      return evaluator.evaluate(design).total - evaluator.evaluate(this.best).total;
    };
    let [near, atNear] = [0, behindNow];
    let far = Math.min(limit, Math.abs(guess) * 1.02 + 1e-4);
    let atFar = behindAt(far);
    while (atFar > 0) {
      if (far >= limit) return undefined;
      [near, atNear] = [far, atFar];
      far = Math.min(limit, far * 1.6);
      atFar = behindAt(far);
    }
    // Nearly straight lines: where they cross is met at once, and the bracket closes from both sides.
    for (let step = 0; step < stepsMax && far - near > exactness * far; step++) {
      const crossing = near + ((far - near) * atNear) / (atNear - atFar);
      const middle = step % 2 === 0 ? Math.min(far, crossing + exactness * far * 0.4) : (near + far) / 2;
      const behind = behindAt(middle);
      if (behind > 0) [near, atNear] = [middle, behind];
      else [far, atFar] = [middle, behind];
    }
    const factor = Math.exp(direction * far);
    const changed = scaledInput(this.input, path, factor);
    return { input: path.join('.'), factor, from: writtenAt(this.input, path), to: writtenAt(changed, path) };
  }
}
