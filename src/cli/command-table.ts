import type { CommandModule } from './command.ts';

/** One row of `holdfast --help`. */
export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

/** All commands, in the order in which help shows them. Nothing is loaded until `load` is called. */
export const commandTable: Readonly<Record<string, CommandEntry>> = {
  demo: { summary: 'run a whole cluster on this machine, from nothing', load: () => import('./commands/demo.ts') },
  agent: { summary: 'run the daemon of this node', load: () => import('./commands/agent.ts') },
  status: { summary: 'show who leads, who follows and how far behind', load: () => import('./commands/status.ts') },
  history: { summary: 'show the leaderships of a service', load: () => import('./commands/history.ts') },
  events: { summary: 'follow what happens, as it happens', load: () => import('./commands/events.ts') },
  switchover: { summary: 'move a leadership in a planned way', load: () => import('./commands/switchover.ts') },
  failover: { summary: 'move a leadership away from a leader that does not answer', load: () => import('./commands/failover.ts') },
  pause: { summary: 'stop automatic failover of a service', load: () => import('./commands/pause.ts') },
  resume: { summary: 'resume automatic failover of a service', load: () => import('./commands/resume.ts') },
  restart: { summary: 'restart one member of a service', load: () => import('./commands/restart.ts') },
  reinit: { summary: 'copy a replica anew from the leader', load: () => import('./commands/reinit.ts') },
  restore: { summary: 'bring a service back from its copies, to the second', load: () => import('./commands/restore.ts') },
  init: { summary: 'make a repository for copies', load: () => import('./commands/init.ts') },
  backup: { summary: 'make a snapshot of files, or of a stream', load: () => import('./commands/backup.ts') },
  snapshots: { summary: 'list the snapshots of a repository', load: () => import('./commands/snapshots.ts') },
  ls: { summary: 'list what is in a snapshot', load: () => import('./commands/ls.ts') },
  find: { summary: 'find files in snapshots', load: () => import('./commands/find.ts') },
  diff: { summary: 'tell how two snapshots differ', load: () => import('./commands/diff.ts') },
  dump: { summary: 'print a file of a snapshot, or a directory as tar', load: () => import('./commands/dump.ts') },
  'restore-files': { summary: 'bring the files of a snapshot back', load: () => import('./commands/restore-files.ts') },
  forget: { summary: 'forget snapshots by rules, or by their ids', load: () => import('./commands/forget.ts') },
  prune: { summary: 'remove what no snapshot needs', load: () => import('./commands/prune.ts') },
  check: { summary: 'judge whether a repository is whole', load: () => import('./commands/check.ts') },
  scrub: { summary: 'read every copy and shard of a location, and heal what is damaged', load: () => import('./commands/scrub.ts') },
  repair: { summary: 'make the index of a repository anew from its packs', load: () => import('./commands/repair.ts') },
  copy: { summary: 'copy snapshots into another repository', load: () => import('./commands/copy.ts') },
  key: { summary: 'list, add, change and remove passwords of a repository', load: () => import('./commands/key.ts') },
  unlock: { summary: 'remove locks of a repository that their holders left', load: () => import('./commands/unlock.ts') },
  serve: { summary: 'offer a repository to restic, over its REST protocol', load: () => import('./commands/serve.ts') },
  lock: { summary: 'run a command while holding a lock', load: () => import('./commands/lock.ts') },
  elect: { summary: 'run a command while holding a leadership', load: () => import('./commands/elect.ts') },
  config: { summary: 'check, show and describe the configuration', load: () => import('./commands/config.ts') },
  certificates: { summary: 'make the certificates of a cluster', load: () => import('./commands/certificates.ts') },
  model: { summary: 'compute availability, durability and recovery time of a model file', load: () => import('./commands/model.ts') },
  advise: {
    summary: 'find the designs that meet what a service needs, with cost and ready configurations',
    load: () => import('./commands/advise.ts'),
  },
  doctor: { summary: 'judge whether this machine and configuration are fit', load: () => import('./commands/doctor.ts') },
};
