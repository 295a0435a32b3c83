import type { Socket } from 'node:net';

/** Ends them at once with a reset: neither side may take what it has got for complete. */
export function reset(...sockets: readonly Socket[]): void {
  for (const socket of sockets) {
    if (socket.destroyed) continue;
    // While the sending half is being shut down libuv refuses to reset, and the socket would stay open for ever.
    const isShuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
    if (isShuttingDown) socket.destroy();
    else socket.resetAndDestroy();
  }
}

export interface PumpOptions {
  /** Closes both when nothing moves for so long; undefined: never. */
  readonly idleMs: number | undefined;
  /** The same once one side has closed its half. */
  readonly halfClosedMs: number;
  /** Called once, when both are gone. */
  readonly onClosed: () => void;
}

/**
 * Passes bytes both ways between two sockets that are not destroyed, until both sides are done. Reading stops while the other side does not take more; the end of one direction is
 * passed on while the other goes on; a reset of one side resets the other.
 */
export function pump(client: Socket, server: Socket, options: PumpOptions): void {
  const pairs = [
    [client, server],
    [server, client],
  ] as const;
  let open = 2;
  const onClose = (): void => {
    if (--open === 0) options.onClosed();
  };
  for (const [one, other] of pairs) {
    one.on('error', () => reset(other));
    one.on('timeout', () => reset(client, server));
    one.once('close', () => {
      // Closed before its end: it was destroyed, and the other must not take that for an end.
      if (!one.readableEnded) reset(other);
      onClose();
    });
  }
  // Every byte goes through both sockets, so that one of them tells whether anything moves.
  if (options.idleMs !== undefined) client.setTimeout(options.idleMs);
  for (const [one] of pairs) {
    const onHalfClosed = (): void => void one.setTimeout(options.halfClosedMs);
    if (one.readableEnded) onHalfClosed();
    else one.once('end', onHalfClosed);
  }
  client.pipe(server);
  server.pipe(client);
}
