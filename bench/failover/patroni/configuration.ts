/** Seconds, as Patroni has them. `ttl` must be at least `loopWait` + 2 × `retryTimeout`. */
export interface PatroniTiming {
  readonly ttl: number;
  readonly loopWait: number;
  readonly retryTimeout: number;
}

export const defaultTiming: PatroniTiming = { ttl: 30, loopWait: 10, retryTimeout: 10 };
/**
 * Version 3.0.2 refuses nothing, but with a retry_timeout of one second nobody is ever elected: it gives up acquiring the lock when less than a
 * second of it is left (etcd3.py, attempt_to_acquire_leader). So two, and by its own rule five. Later versions refuse a ttl below 20.
 */
export const lowestTiming: PatroniTiming = { ttl: 5, loopWait: 1, retryTimeout: 2 };

export interface PatroniNodeOptions {
  readonly scope: string;
  readonly name: string;
  readonly directory: string;
  readonly databasePort: number;
  readonly restPort: number;
  readonly etcd: readonly string[];
  readonly postgresBin: string;
  readonly password: string;
  readonly timing: PatroniTiming;
  readonly synchronous: boolean;
}

/** Its own example (postgres0.yml), with the addresses and programs of the race; what is not set is as it comes. JSON is YAML. */
export function patroniConfiguration(options: PatroniNodeOptions): object {
  const { timing, password } = options;
  const database = `127.0.0.1:${options.databasePort}`;
  const rest = `127.0.0.1:${options.restPort}`;
  return {
    scope: options.scope,
    namespace: '/bench/',
    name: options.name,
    restapi: { listen: rest, connect_address: rest },
    etcd3: { hosts: options.etcd.map((endpoint) => new URL(endpoint).host) },
    bootstrap: {
      dcs: {
        ttl: timing.ttl,
        loop_wait: timing.loopWait,
        retry_timeout: timing.retryTimeout,
        maximum_lag_on_failover: 1_048_576,
        synchronous_mode: options.synchronous,
        postgresql: {
          use_pg_rewind: true,
          use_slots: true,
          remove_data_directory_on_rewind_failure: true,
          remove_data_directory_on_diverged_timelines: true,
        },
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C' }],
      pg_hba: ['host replication replicator 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 scram-sha-256'],
    },
    postgresql: {
      listen: database,
      connect_address: database,
      data_dir: `${options.directory}/data`,
      bin_dir: options.postgresBin,
      pgpass: `${options.directory}/pgpass`,
      authentication: {
        superuser: { username: 'postgres', password },
        replication: { username: 'replicator', password },
        rewind: { username: 'rewinder', password },
      },
      parameters: { unix_socket_directories: options.directory },
    },
  };
}

/** As its documentation has it (haproxy.cfg), with the addresses of the race. */
export function haproxyConfiguration(port: number, nodes: readonly { name: string; databasePort: number; restPort: number }[]): string {
  return `global
    maxconn 100

defaults
    log global
    mode tcp
    retries 2
    timeout client 30m
    timeout connect 4s
    timeout server 30m
    timeout check 5s

listen primary
    bind 127.0.0.1:${port}
    option httpchk
    http-check expect status 200
    default-server inter 3s fall 3 rise 2 on-marked-down shutdown-sessions
${nodes.map((node) => `    server ${node.name} 127.0.0.1:${node.databasePort} maxconn 100 check port ${node.restPort}`).join('\n')}
`;
}
