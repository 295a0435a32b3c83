import { BasicGate } from '../../api/basic-gate.ts';
import { RestService, type RestMode } from '../../backup/index.ts';
import { readConfig } from '../../backup/open/read-config.ts';
import { formatAddress } from '../../core/address.ts';
import { hasCode, HoldfastError } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import { createRuntime, openWebServer } from '../../runtime/index.ts';
import type { Location } from '../../storage/index.ts';
import { openLocation } from '../../storage/registry.ts';
import type { ServeOptions } from '../commands/serve.ts';
import { printJson, printLine } from '../print.ts';
import { placeOf } from '../repository/open.ts';
import { type CertificatePaths, keepRenewed, readCertificate } from './certificate-files.ts';
import { assertProtected, parseListen } from './exposure.ts';
import { allOf, Figures } from './figures.ts';
import { restHandler } from './handler.ts';
import { RequestLog } from './request-log.ts';
import { UsersFile } from './users-file.ts';

/** How long what is under way may take after SIGTERM. */
const graceMs = 30_000;
/** How often the location is asked how it is, for the log. */
const statusEveryMs = 5_000;

/** Serves until SIGTERM or SIGINT. @throws SERVE_…, CLI_USAGE, LISTEN_…, STORAGE_UNSUITABLE */
export async function serveLocation(name: string, mode: RestMode, options: ServeOptions): Promise<void> {
  const address = parseListen(options.listen);
  const certificate = certificateOf(options);
  const { users: usersPath, allowNoUsers = false, allowNoTls = false, logLevel } = options;
  const hasUsers = usersPath !== undefined;
  assertProtected({ address, hasUsers, hasTls: certificate !== undefined, allowNoUsers, allowNoTls });
  const place = await placeOf({ repo: name, ...(options.config && { config: options.config }) });
  const credentials = certificate && (await readCertificate(certificate));

  await using runtime = createRuntime({ log: { level: logLevel } });
  const users = usersPath === undefined ? undefined : await UsersFile.open(usersPath, runtime);
  const ending = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.resolve());
  // What is under way ends with this one, and the location after it.
  const stop = new AbortController();
  await using location = await openLocation(place.name, place.locations, runtime, { signal: stop.signal });
  await assertOneRepository(location, stop.signal);
  const figures = new Figures();
  const handler = restHandler(
    {
      service: new RestService(location, runtime, { mode, storedBytesMax: options.maxSize }),
      location,
      gate: new BasicGate(runtime.clock),
      users: users && (() => users.current()),
      onlyLoopback: !hasUsers && !allowNoUsers,
      figures,
      log: new RequestLog(runtime),
      signal: stop.signal,
    },
    runtime,
  );
  await using server = await openWebServer({ ...address, credentials }, handler, runtime);
  const url = `${credentials === undefined ? 'http' : 'https'}://${formatAddress(server.address)}/`;
  if (options.json === true) printJson({ location: place.name, url, mode, users: hasUsers });
  else printLine(`serving ${place.name} (${mode}) as rest:${url}${hasUsers ? '' : ' to anybody on this machine'}`);
  const besides = [watch(location, runtime, stop.signal), ...(certificate ? [keepRenewed(server, certificate, runtime, stop.signal)] : [])];
  const ended = Promise.allSettled(besides);

  await ending.promise;
  await server.close(graceMs);
  stop.abort(new Error('the server ends'));
  await ended;
  if (options.json === true) printJson(figures.totals());
  runtime.logger.info('rest.server.ended', figures.totals());
}

/** What is away, or holds no repository yet, may come later. @throws BACKUP_REPOSITORIES_DIFFER */
async function assertOneRepository(location: Location, signal: AbortSignal): Promise<void> {
  await readConfig(location, { signal }).catch((error: unknown) => {
    if (hasCode(error, 'BACKUP_REPOSITORIES_DIFFER')) throw error;
  });
}

/** Says how the location, and each of its parts, is, whenever that changes. */
async function watch(location: Location, { clock, logger }: Runtime, signal: AbortSignal): Promise<void> {
  const told = new Map<string, string>();
  for (;;) {
    for (const { name, state, message } of allOf(location.status())) {
      if ((told.get(name) ?? 'ok') !== state)
        logger[state === 'ok' ? 'info' : 'warn']('rest.location.changed', { location: name, state, message });
      told.set(name, state);
    }
    await clock.sleep(statusEveryMs, signal);
  }
}

function certificateOf({ tlsCert: cert, tlsKey: key }: ServeOptions): CertificatePaths | undefined {
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return undefined;
  throw new HoldfastError('CLI_USAGE', 'a certificate and its key are given together', { hint: '--tls-cert FILE --tls-key FILE' });
}
