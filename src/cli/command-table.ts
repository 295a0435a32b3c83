import type { CommandModule } from './command.ts';

/** One row of `holdfast --help`. */
export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

const from = (name: string) => (): Promise<CommandModule> => import(`./commands/${name}.ts`) as Promise<CommandModule>;

/** All commands, in the order in which help shows them. Nothing is loaded until `load` is called. */
export const commandTable: Readonly<Record<string, CommandEntry>> = {
  demo: { summary: 'run a whole cluster on this machine, from nothing', load: from('demo') },
  agent: { summary: 'run the daemon of this node', load: from('agent') },
  status: { summary: 'show who leads, who follows and how far behind', load: from('status') },
  history: { summary: 'show the leaderships of a service', load: from('history') },
  events: { summary: 'follow what happens, as it happens', load: from('events') },
  switchover: { summary: 'move a leadership in a planned way', load: from('switchover') },
  failover: { summary: 'move a leadership away from a leader that does not answer', load: from('failover') },
  pause: { summary: 'stop automatic failover of a service', load: from('pause') },
  resume: { summary: 'resume automatic failover of a service', load: from('resume') },
  restart: { summary: 'restart one member of a service', load: from('restart') },
  reinit: { summary: 'copy a replica anew from the leader', load: from('reinit') },
  lock: { summary: 'run a command while holding a lock', load: from('lock') },
  elect: { summary: 'run a command while holding a leadership', load: from('elect') },
  config: { summary: 'check, show and describe the configuration', load: from('config') },
  certificates: { summary: 'make the certificates of a cluster', load: from('certificates') },
  doctor: { summary: 'judge whether this machine and configuration are fit', load: from('doctor') },
};
