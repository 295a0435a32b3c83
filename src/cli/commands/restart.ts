import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { addOrderOptions, giveOrder, memberMeant, type OrderOptions } from '../remote/order.ts';
import { requireConsent } from '../terminal/confirm.ts';

interface RestartOptions extends OrderOptions {
  readonly node?: string;
}

export function register(command: Command): void {
  addOrderOptions(command)
    .argument('[node]', 'whose member')
    .option('--node <node>', 'the same')
    .option('-y, --yes', 'do not ask before the leader is restarted')
    .addHelpText(
      'after',
      '\nFor settings that need it. A leader keeps its leadership, and its clients wait or are cut meanwhile: restart replicas first.',
    )
    .action(run);
}

async function run(service: string, argument: string | undefined, options: RestartOptions): Promise<void> {
  let node = '';
  await giveOrder(service, options, {
    consider: async (status) => {
      node = memberMeant(status, argument, options.node);
      if (node === status.leader) await requireConsent(`${node} leads ${service}: a restart interrupts its clients.`, options);
    },
    give: (client: Client) => client.restart(service, { node }),
  });
}
