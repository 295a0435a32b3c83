/**
 * Starts something that calls back once, and gives up on it when `signal` aborts.
 * @param start gets the callback, and returns how to take it back
 * @throws the signal's reason
 */
export async function untilCalled(signal: AbortSignal, start: (done: () => void) => () => void): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const cancel = start(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
