/** The first pause before connecting again lasts up to this, each further one up to twice as long, in ms. */
export const FIRST_MS = 100;
/** No pause is longer, in ms. */
export const LONGEST_MS = 30_000;

/**
 * How long to wait before connecting again: anything up to a limit that doubles ("full jitter"), so that clients that
 * were lost together do not come back together. Use of the connection resets it, not connecting: a gateway that
 * takes connections only to drop them is not asked more and more often.
 */
export class Backoff {
  #limit = FIRST_MS;

  /** The next pause, in ms. `random` is from 0 to 1; `atLeast` is what the gateway has asked for. */
  next(random: number, atLeast = 0): number {
    const pause = this.#limit * random;
    this.#limit = Math.min(this.#limit * 2, LONGEST_MS);
    return Math.max(pause, atLeast);
  }

  reset(): void {
    this.#limit = FIRST_MS;
  }
}
