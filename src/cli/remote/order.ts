import type { Command } from 'commander';
import type { ClusterStatus, Done, ServiceStatus } from '../../api/schema.ts';
import type { Client } from '../../client/client.ts';
import { HoldfastError } from '../../core/errors.ts';
import { formatDurationMs } from '../../core/units.ts';
import { printJson, printLine } from '../print.ts';
import { visible } from '../terminal/style.ts';
import { addRemoteOptions, reachAgent, type RemoteCommandOptions } from './options.ts';

/** Options of the commands that change something. */
export interface OrderOptions extends RemoteCommandOptions {
  readonly yes?: boolean;
}

/** An order to the cluster, about one service. */
export interface Order<Options extends OrderOptions> {
  /** What may stand in the way of it: asks, or throws. */
  readonly consider?: (service: ServiceStatus, options: Options) => Promise<void> | void;
  readonly give: (client: Client, service: string, options: Options) => Promise<Done>;
}

export function addOrderOptions(command: Command): Command {
  addRemoteOptions(command);
  return command.argument('<service>', 'as in holdfast.yaml');
}

/** Finds an agent, gives it the order, and prints what came of it. Which node carries it out is the agents' affair. */
export async function giveOrder<Options extends OrderOptions>(service: string, options: Options, order: Order<Options>): Promise<void> {
  await using agent = await reachAgent(options);
  await order.consider?.(findService(agent.status, service), options);
  const done = await order.give(agent.client, service, options);
  if (options.json === true) printJson(done);
  else printLine(`${visible(done.message)}${done.tookMs === undefined ? '' : ` (${formatDurationMs(done.tookMs)})`}`);
}

/** @throws SERVICE_UNKNOWN */
export function findService(status: ClusterStatus, name: string): ServiceStatus {
  const found = status.services.find((service) => service.service === name);
  if (found !== undefined) return found;
  const names = status.services.map((service) => service.service);
  throw new HoldfastError('SERVICE_UNKNOWN', `there is no service '${visible(name)}'`, {
    hint: `Services are: ${names.join(', ') || 'none'}.`,
  });
}

/** @throws MEMBER_UNKNOWN */
export function requireMember(service: ServiceStatus, node: string): void {
  const nodes = service.members.map((member) => member.node);
  if (nodes.includes(node)) return;
  throw new HoldfastError('MEMBER_UNKNOWN', `'${visible(node)}' has no member of ${service.service}`, {
    hint: `Members are: ${nodes.join(', ') || 'none'}.`,
  });
}

/** The member meant: an argument, or --node. @throws CLI_USAGE when it is neither, or both and different */
export function memberMeant(service: ServiceStatus, argument: string | undefined, option: string | undefined): string {
  const node = argument ?? option;
  if (node === undefined || (argument !== undefined && option !== undefined && argument !== option)) {
    throw new HoldfastError('CLI_USAGE', node === undefined ? 'the member is missing' : 'two members are named', {
      hint: `Name one of ${service.members.map((member) => member.node).join(', ')}.`,
    });
  }
  requireMember(service, node);
  return node;
}
