import { run } from './machine.ts';

/** What the switch loses, one way. */
export interface Flow {
  /** Name of a host, or `clients`. */
  readonly from: string;
  readonly to: string;
  /** Only TCP to or from these ports. Default: everything. */
  readonly ports?: readonly number[];
  /** Of the packets, chosen at random. Default 100. */
  readonly percent?: number;
}

/** Ends a disturbance. */
export type Loss = () => Promise<void>;

/** Losses of a switch: the rules in force are always those of the losses that have not ended, put there at once. */
export class Losses {
  readonly #namespace: string;
  readonly #active = new Set<readonly Flow[]>();
  #done: Promise<unknown> = Promise.resolve();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  async add(flows: readonly Flow[]): Promise<Loss> {
    this.#active.add(flows);
    await this.#apply();
    return async () => {
      this.#active.delete(flows);
      await this.#apply();
    };
  }

  async #apply(): Promise<void> {
    const apply = (): Promise<string> => {
      const rules = [...this.#active].flat().flatMap(rulesOf);
      const chain = `chain switch {\n type filter hook forward priority 0; policy accept;\n${rules.join('\n')}\n }`;
      return run(
        'ip',
        ['netns', 'exec', this.#namespace, 'nft', '-f', '-'],
        `table bridge losses\ndelete table bridge losses\ntable bridge losses {\n${chain}\n}\n`,
      );
    };
    await (this.#done = this.#done.then(apply, apply));
  }
}

function rulesOf({ from, to, ports, percent = 100 }: Flow): string[] {
  const chance = percent >= 100 ? '' : `numgen random mod 100 < ${percent} `;
  const what = ports === undefined ? [''] : ['dport', 'sport'].map((side) => `tcp ${side} { ${ports.join(', ')} } `);
  return what.map((match) => `  iifname "${from}" oifname "${to}" ${match}${chance}drop`);
}
