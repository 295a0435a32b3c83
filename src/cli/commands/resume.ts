import type { Command } from 'commander';
import { addOrderOptions, giveOrder, type OrderOptions } from '../remote/order.ts';

export function register(command: Command): void {
  addOrderOptions(command)
    .addHelpText('after', '\nMembers are watched and taken care of again, from their state as it is found.')
    .action((service: string, options: OrderOptions) => giveOrder(service, options, { give: (client) => client.resume(service) }));
}
