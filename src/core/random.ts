/** Chance as a port: jitter and tie breaking. Never for keys, tokens or identifiers: those come from node:crypto. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}
