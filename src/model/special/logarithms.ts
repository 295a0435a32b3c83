// Elementary functions that keep their digits where the obvious expression would cancel. Math.log1p and Math.expm1 do the rest.

/** ln(1 + x) − x for x > −1, to full precision also near 0, where it is −x²/2. By atanh: with r = x/(2+x), ln(1+x) = 2·atanh(r) (DLMF 4.6.4). */
export function log1pMinus(x: number): number {
  if (x < -0.5 || x > 1) return Math.log1p(x) - x;
  const r = x / (2 + x);
  const square = r * r;
  let sum = 0;
  // |r| ≤ 1/3: what follows the term 35 is below 3⁻³⁷.
  for (let odd = 35; odd >= 3; odd -= 2) sum = square * (1 / odd + sum);
  return r * (2 * sum - x);
}

/** ln(1 − e⁻ˣ) for x > 0. Which form keeps its digits where: Mächler, "Accurately computing log(1 − exp(−|a|))", 2012. */
export function log1mexp(x: number): number {
  return x <= Math.LN2 ? Math.log(-Math.expm1(-x)) : Math.log1p(-Math.exp(-x));
}

/** 1 − (1 − p)ⁿ: that at least one of n independent things happens, exact also for p of 10⁻³⁰⁰. */
export function anyOf(p: number, n: number): number {
  return -Math.expm1(n * Math.log1p(-p));
}

/** The sum with the rounding errors of its additions added back in (Neumaier 1974): as if it had been formed in twice the precision. */
export function sumOf(values: Iterable<number>): number {
  let sum = 0;
  let lost = 0;
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}
