/** Where a secret comes from: never the configuration file itself. */
export type SecretSource = { readonly from: 'environment'; readonly name: string } | { readonly from: 'file'; readonly path: string };

/** Shorter tokens of the API could be guessed. `openssl rand -hex 24` makes a good one. */
export const tokenCharactersMin = 20;

/** A secret that cannot slip out: printed, logged or turned into JSON, it is only where it comes from. */
export class Secret {
  readonly source: SecretSource;
  #value: string | undefined;

  constructor(source: SecretSource, value?: string) {
    this.source = source;
    this.#value = value;
  }

  /** Set once, by whoever reads environment and files. */
  resolve(value: string): void {
    this.#value = value;
  }

  get isResolved(): boolean {
    return this.#value !== undefined;
  }

  /** The secret itself. To be called where it is used, and not kept. */
  reveal(): string {
    if (this.#value === undefined) throw new Error(`${String(this)} was never read`);
    return this.#value;
  }

  /** As it is written in the configuration: `${NAME}` or `file:PATH`. */
  toString(): string {
    return this.source.from === 'environment' ? `\${${this.source.name}}` : `file:${this.source.path}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Secret(${this.toString()})`;
  }
}
