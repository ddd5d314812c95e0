/** Why events were lost. */
export type GapReason = 'slow_reader' | 'outside_window' | 'unknown_id';

/** Events were lost here. */
export interface Gap {
  /** How many, when that is known. */
  readonly missed: number | undefined;
  /**
   * `slow_reader`: the reader did not keep up. `outside_window`: they are not kept any more. `unknown_id`: the gateway
   * does not know where the reader was, as after its restart. A later gateway may know more reasons.
   */
  readonly reason: GapReason | (string & {});
}

/** An event, or a gap where events were lost. */
export type Delivery<E> = { readonly event: E; readonly gap?: never } | { readonly gap: Gap; readonly event?: never };

/** Deliveries that may wait for a reader. */
export const QUEUE = 1_024;

/**
 * Deliveries in their order, for one reader. What does not fit is lost, and told as a gap as soon as there is room.
 */
export class Queue<E> {
  readonly #room: number;
  #items: Delivery<E>[] = [];
  /** How many of `#items` were taken. */
  #taken = 0;
  /** Lost since the last gap was told. */
  #missed = 0;

  constructor(room = QUEUE) {
    this.#room = room;
  }

  get length(): number {
    return this.#items.length - this.#taken;
  }

  push(event: E): void {
    if (this.#caughtUp()) this.#items.push({ event });
    else this.#missed += 1;
  }

  gap(gap: Gap): void {
    // How many are missing in all is not known when it is not told apart, but that some are is.
    if (this.#caughtUp()) this.#items.push({ gap });
    else this.#missed += gap.missed ?? 1;
  }

  /** Whether there is room, behind the gap that tells what was lost before. */
  #caughtUp(): boolean {
    if (this.#missed > 0 && this.length < this.#room) {
      this.#items.push({ gap: { missed: this.#missed, reason: 'slow_reader' } });
      this.#missed = 0;
    }
    return this.length < this.#room && this.#missed === 0;
  }

  shift(): Delivery<E> | undefined {
    const item = this.#items[this.#taken];
    if (item === undefined) return this.#rest();
    this.#taken += 1;
    if (this.#taken === this.#items.length) {
      this.#items = [];
      this.#taken = 0;
    } else if (this.#taken >= this.#room) {
      this.#items.splice(0, this.#taken);
      this.#taken = 0;
    }
    return item;
  }

  /** What was lost since, when nothing waits any more. */
  #rest(): Delivery<E> | undefined {
    if (this.#missed === 0) return undefined;
    const gap = { missed: this.#missed, reason: 'slow_reader' };
    this.#missed = 0;
    return { gap };
  }
}
