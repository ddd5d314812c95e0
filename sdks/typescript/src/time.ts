/** Waits; every wait here can be given up, and has an end. */

/** Waits so many ms, or throws the signal's reason. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    signal.addEventListener('abort', aborted, { once: true });
  });
}

/** What the promise gives, unless the time is over before or the signal is aborted. */
export function within<T>(ms: number, promise: Promise<T>, late: () => Error, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) reject(signal.reason);
    const aborted = () => reject(signal?.reason);
    const timer = setTimeout(() => reject(late()), ms);
    signal?.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    });
  });
}

/** Waits until the promise is settled either way, at most so many ms. */
export async function settled(ms: number, promise: Promise<unknown>): Promise<void> {
  await within(ms, promise, () => new Error('late')).catch(() => {});
}
