import type { Command } from 'commander';
import { addOrderOptions, giveOrder, requireMember, type OrderOptions } from '../remote/order.ts';

interface SwitchoverOptions extends OrderOptions {
  readonly to?: string;
}

export function register(command: Command): void {
  addOrderOptions(command)
    .option('--to <node>', 'who is to lead (default: the best candidate)')
    .addHelpText(
      'after',
      '\nNothing is lost: the leader stops only when a replica has everything. Open connections are cut; routers hold new ones meanwhile.',
    )
    .action((service: string, options: SwitchoverOptions) =>
      giveOrder(service, options, {
        consider: (status) => (options.to === undefined ? undefined : requireMember(status, options.to)),
        give: (client) => client.switchover(service, options.to === undefined ? {} : { to: options.to }),
      }),
    );
}
