import { Option, type Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { addOrderOptions, giveOrder, memberMeant, type OrderOptions } from '../remote/order.ts';
import { requireTyped } from '../terminal/confirm.ts';

interface ReinitOptions extends OrderOptions {
  readonly node?: string;
  readonly from?: 'leader' | 'copies';
  readonly reuse?: boolean;
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
    .option('--reuse', 'with --from copies: go over the old data, of which nothing is kept, and write only what differs')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nIts data directory is moved aside, never deleted, but for --reuse: there must be room for two. Copies that can not be used are told before that. Needs a token with the role admin.',
    )
    .action(run);
}

async function run(service: string, argument: string | undefined, options: ReinitOptions): Promise<void> {
  const { from, reuse } = options;
  let node = '';
  await giveOrder(service, options, {
    consider: async (status) => {
      node = memberMeant(status, argument, options.node);
      await requireTyped(node, `The data of ${service} on ${node} will be ${whatHappens(options)}.`, options);
    },
    give: (client: Client) => client.reinit(service, { node, ...(from && { from }), ...(reuse && { reuse }) }),
  });
}

function whatHappens({ from, reuse }: ReinitOptions): string {
  if (reuse === true) return 'overwritten with the copies: nothing of them is kept';
  return `moved aside, and ${from === 'copies' ? 'made anew of the copies' : 'copied anew'}`;
}
