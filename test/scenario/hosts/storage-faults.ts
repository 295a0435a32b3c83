import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { query } from '../agents.ts';
import type { Clocks } from './clocks.ts';
import type { Disk } from './disk.ts';
import type { Fault, Faults } from './faults.ts';
import type { Hosts } from './hosts.ts';

/** Bytes of a page that are turned over: beyond its header, so that it is found by its checksum alone. */
const DAMAGED_AT = 4_000;
const DAMAGED_BYTES = 16;
const PAGE_BYTES = 8_192;
const REPLAY_MS_MAX = 10_000;
const REPLAY_POLL_MS = 50;

/** What can go wrong with what a host keeps, and with its clock. Faults of disks need hosts with `diskMiB`, of clocks such with `Clocks`. */
export class StorageFaults {
  readonly #hosts: Hosts;
  readonly #faults: Faults;
  readonly #clocks: Clocks | undefined;

  constructor(hosts: Hosts, faults: Faults, clocks?: Clocks) {
    this.#hosts = hosts;
    this.#faults = faults;
    this.#clocks = clocks;
  }

  /** No space is left, until it is undone. */
  async fill(host: string): Promise<Fault> {
    await this.#disk(host).fill();
    return this.#faults.made(`disk of ${host} full`, () => this.#disk(host).empty());
  }

  /** Whoever writes waits, and can not be killed. */
  async freeze(host: string): Promise<Fault> {
    await this.#disk(host).freeze();
    return this.#faults.made(`disk of ${host} stands still`, () => this.#disk(host).thaw());
  }

  /** Writes go on for a tenth of each half second. */
  async slow(host: string): Promise<Fault> {
    this.#disk(host).slow(450, 50);
    return this.#faults.made(`disk of ${host} slow`, () => this.#disk(host).thaw());
  }

  /** The wall clock of a host's agent and database is so many seconds wrong. */
  async setClock(host: string, seconds: number): Promise<Fault> {
    await this.#clocks!.set(host, seconds);
    return this.#faults.made(`clock of ${host} at ${seconds} s`, () => this.#clocks!.set(host, 0));
  }

  /** A host that is off comes back without any WAL. */
  async loseWal(host: string): Promise<Fault> {
    const off = await this.#faults.powerOff(host);
    const wal = join(this.#hosts.dataOf(host), 'pg_wal');
    for (const file of await readdir(wal)) if (/^[0-9A-F]{24}$/.test(file)) await rm(join(wal, file));
    return this.#faults.made(`WAL of ${host} lost`, () => off.undo());
  }

  /** Bytes of the second page of a table turn over on the disk of a host, while it is off: nothing of it is in memory. */
  async damage(host: string, table: string): Promise<Fault> {
    const connection = this.#hosts.agents.connection(host);
    const [row] = await query<{ path: string }>(connection, 'select pg_relation_filepath($1) as path', [table]);
    await this.#settle(host, table);
    const off = await this.#faults.powerOff(host);
    await using file = await open(join(this.#hosts.dataOf(host), row!.path), 'r+');
    const bytes = Buffer.alloc(DAMAGED_BYTES);
    await file.read(bytes, 0, DAMAGED_BYTES, PAGE_BYTES + DAMAGED_AT);
    await file.write(Buffer.from(bytes.map((byte) => byte ^ 0xff)), 0, DAMAGED_BYTES, PAGE_BYTES + DAMAGED_AT);
    return this.#faults.made(`page of ${table} on ${host} damaged`, () => off.undo());
  }

  /** Has the host's recovery begin beyond everything that changes the table's first pages: it would write them whole. */
  async #settle(host: string, table: string): Promise<void> {
    const { agents } = this.#hosts;
    const leader = agents.connection((await agents.status())!.leader!);
    // Reading sets hint bits, which changes pages, too.
    await query(leader, `select count(*) from ${table}`);
    await query(leader, 'checkpoint');
    const [end] = await query<{ lsn: string }>(leader, 'select pg_current_wal_lsn() as lsn');
    const replayed = 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as there';
    for (const endMs = performance.now() + REPLAY_MS_MAX; performance.now() < endMs; await sleep(REPLAY_POLL_MS))
      if ((await query<{ there: boolean }>(agents.connection(host), replayed, [end!.lsn]))[0]!.there) break;
    await query(agents.connection(host), 'checkpoint');
  }

  #disk(host: string): Disk {
    return this.#hosts.disks.get(host)!;
  }
}
