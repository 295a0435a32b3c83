/** The standard normal quantile to three decimals, to begin an iteration with (A&S 26.2.23). 0 < p ≤ ½. */
export function roughNormalQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p));
  return -(t - (2.515_517 + t * (0.802_853 + t * 0.010_328)) / (1 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308))));
}
