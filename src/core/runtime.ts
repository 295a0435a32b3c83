import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { Processes } from './processes.ts';
import type { Random } from './random.ts';

/** The ports that nearly everything needs, handed down as one parameter. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** With child processes: for what runs or guards programs. */
export interface MachineRuntime extends Runtime {
  readonly processes: Processes;
}
