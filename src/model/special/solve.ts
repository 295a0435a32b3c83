/** Newton's steps, each kept inside the bracket, or halving: in double precision the latter alone would end by then. */
const stepsMax = 1100;

/** The value of an increasing function at a point, and its slope there. */
export interface Sloped {
  readonly value: number;
  readonly slope: number;
}

/**
 * Where an increasing function crosses zero between `low` (value < 0) and `high` (value > 0): Newton's method from `start`, halving the
 * bracket where a step would leave it or does not shrink it. Ends when a step is below 2⁻⁵², absolutely or relatively: x is a logarithm.
 */
export function solveIncreasing(f: (x: number) => Sloped, low: number, high: number, start: number): number {
  let [least, most] = [low, high];
  let x = start > least && start < most ? start : (least + most) / 2;
  let lastStep = Infinity;
  for (let count = 0; count < stepsMax; count++) {
    const { value, slope } = f(x);
    if (value === 0) return x;
    if (value < 0) least = x;
    else most = x;
    let next = x - value / slope;
    // A step that is not half of the one before is no longer converging: halve.
    if (!(next > least && next < most && Math.abs(next - x) <= lastStep / 2)) next = (least + most) / 2;
    const step = Math.abs(next - x);
    if (step <= Number.EPSILON * Math.max(1, Math.abs(x))) return next;
    lastStep = step;
    x = next;
  }
  return x;
}
