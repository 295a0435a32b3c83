const ASK_MS_MAX = 1_500;
const SWITCHOVER_MS_MAX = 120_000;

export interface PatroniMember {
  readonly name: string;
  /** leader, replica, sync_standby … */
  readonly role: string;
  readonly state: string;
  readonly timeline?: number;
}

/** Patroni's REST interface, as patronictl uses it. */
export class PatroniRest {
  readonly #nodes: readonly { readonly name: string; readonly port: number }[];

  constructor(nodes: readonly { readonly name: string; readonly port: number }[]) {
    this.#nodes = nodes;
  }

  /** As the first node that answers has it from the store; nobody when none does. */
  async members(): Promise<readonly PatroniMember[]> {
    const answers = this.#nodes.map(async ({ port }) => {
      const response = await fetch(`http://127.0.0.1:${port}/cluster`, { signal: AbortSignal.timeout(ASK_MS_MAX) });
      return ((await response.json()) as { members: PatroniMember[] }).members;
    });
    return await Promise.any(answers).catch(() => []);
  }

  /** @throws what the node says when it refuses */
  async switchover(leader: string, signal: AbortSignal): Promise<void> {
    const { port } = this.#nodes.find((node) => node.name === leader)!;
    const response = await fetch(`http://127.0.0.1:${port}/switchover`, {
      method: 'POST',
      body: JSON.stringify({ leader }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(SWITCHOVER_MS_MAX)]),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Patroni refused the switchover from ${leader}: ${response.status} ${text}`);
  }
}
