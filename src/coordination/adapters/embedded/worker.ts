// The thread that talks to SQLite, so that a file locked by a stopped process, or a slow disk, never holds up the loop of the program.
// It sleeps on the bell instead of an event loop: no timers, and nothing to do at rest.
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openDatabase } from './database.ts';
import { Desk } from './desk.ts';
import { failureOf } from './failures.ts';
import { EmbeddedOperations } from './operations.ts';
import type { FromWorker, ToWorker, WorkerStart } from './protocol.ts';

/** Milliseconds on the one clock that all processes of this machine share. It stands still with all of them while the machine is suspended. */
function sharedNowMs(): number {
  // oxlint-disable-next-line eslint/no-restricted-properties -- Clock.monotonicMs begins anew in every process
  return Number(process.hrtime.bigint()) / 1e6;
}

const { file, host, port, bell } = workerData as WorkerStart;
const tell = (message: FromWorker): void => port.postMessage(message);

function serve(): void {
  using database = openDatabase(file, host);
  const operations = new EmbeddedOperations(database.db, sharedNowMs);
  const desk = new Desk(operations, {
    now: sharedNowMs,
    isInPlace: () => database.isInPlace(),
    answer: (id, value) => tell({ id, value }),
  });
  tell('opened');
  for (;;) {
    if (Atomics.wait(bell, 0, 0, desk.restMs) !== 'timed-out') desk.stir();
    Atomics.store(bell, 0, 0);
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const message = next.message as ToWorker;
      if (message === 'close') return;
      if (message === 'unannounced') desk.expectNoStir();
      else if ('cancel' in message) {
        desk.cancel(message.cancel);
        tell({ cancelled: message.cancel });
      } else desk.take(message);
    }
    // The client starts another worker, on what the name names now.
    if (!desk.turn()) return;
  }
}

try {
  serve();
} catch (error) {
  const failure = failureOf(error, file);
  if (failure === undefined) throw error;
  tell({ refused: failure });
} finally {
  port.close();
}
