import { Option, type Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { addOrderOptions, giveOrder, memberMeant, type OrderOptions } from '../remote/order.ts';
import { requireTyped } from '../terminal/confirm.ts';

interface ReinitOptions extends OrderOptions {
  readonly node?: string;
  readonly from?: 'leader' | 'copies';
}

export function register(command: Command): void {
  addOrderOptions(command)
    .argument('[node]', 'whose member; never the leader')
    .option('--node <node>', 'the same')
    .addOption(
      new Option(
        '--from <source>',
        'what its data are made of: copies spare the leader; default: createReplica of its configuration',
      ).choices(['leader', 'copies']),
    )
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nIts data directory is moved aside, never deleted: there must be room for two. Copies that can not be used are told before that. Needs a token with the role admin.',
    )
    .action(run);
}

async function run(service: string, argument: string | undefined, options: ReinitOptions): Promise<void> {
  let node = '';
  await giveOrder(service, options, {
    consider: async (status) => {
      node = memberMeant(status, argument, options.node);
      await requireTyped(
        node,
        `The data of ${service} on ${node} will be moved aside, and ${options.from === 'copies' ? 'made anew of the copies' : 'copied anew'}.`,
        options,
      );
    },
    give: (client: Client) => client.reinit(service, { node, ...(options.from === undefined ? {} : { from: options.from }) }),
  });
}
