import type { Command } from 'commander';
import type { ServiceStatus } from '../../api/schema.ts';
import { addOrderOptions, giveOrder, requireMember, type OrderOptions } from '../remote/order.ts';
import { requireConsent } from '../terminal/confirm.ts';

interface FailoverOptions extends OrderOptions {
  readonly to?: string;
}

export function register(command: Command): void {
  addOrderOptions(command)
    .option('--to <node>', 'who is to lead (default: the member that has most)')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nFor a leader that is gone and was not replaced by itself. While the leader is well this is a switchover.')
    .action((service: string, options: FailoverOptions) =>
      giveOrder(service, options, {
        consider: (status) => consider(status, options),
        give: (client) => client.failover(service, options.to === undefined ? {} : { to: options.to }),
      }),
    );
}

async function consider(status: ServiceStatus, options: FailoverOptions): Promise<void> {
  if (options.to !== undefined) requireMember(status, options.to);
  const loss = status.mode === 'asynchronous' && status.leader === null ? ' What the old leader did not pass on yet would be lost.' : '';
  const state = status.leader === null ? 'nobody leads now' : `${status.leader} leads and will be replaced`;
  await requireConsent(`Failover of ${status.service}: ${state}.${loss}`, options);
}
