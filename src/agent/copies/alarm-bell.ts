import type { Alarm } from './alarms.ts';
import type { KeeperParts } from './term.ts';

/** Tells when an alarm begins and when it is over, once each. */
export class AlarmBell {
  readonly #record: KeeperParts['record'];
  #ringing: ReadonlySet<string> = new Set();

  constructor(record: KeeperParts['record']) {
    this.#record = record;
  }

  ring(alarms: readonly Alarm[]): void {
    const now = new Set(alarms.map(({ name }) => name));
    for (const { name, text } of alarms) if (!this.#ringing.has(name)) this.#record('backup.alarm', { about: name, alarm: text });
    for (const name of this.#ringing) if (!now.has(name)) this.#record('backup.alarm.over', { about: name });
    this.#ringing = now;
  }
}
