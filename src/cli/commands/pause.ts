import type { Command } from 'commander';
import { addOrderOptions, giveOrder, type OrderOptions } from '../remote/order.ts';

export function register(command: Command): void {
  addOrderOptions(command)
    .addHelpText(
      'after',
      "\nUntil 'holdfast resume' nobody takes over when the leader is lost, and nothing is started, stopped or moved by itself.",
    )
    .action((service: string, options: OrderOptions) => giveOrder(service, options, { give: (client) => client.pause(service) }));
}
