/** How much a session may have in flight, as `welcome` tells it. */
export interface Bounds {
  /** Calls, publishes and discoveries. */
  readonly max_calls: number;
  /** Bytes of all of them together. */
  readonly max_bytes_in_flight: number;
}

/** Counts what is in flight, so that what is beyond the gateway's bounds waits here instead of being refused there. */
export class Window {
  #bounds: Bounds = { max_calls: 1, max_bytes_in_flight: 0 };
  #count = 0;
  #bytes = 0;

  /** Whether one more of so many bytes may go. A single one always may: the gateway judges it. */
  hasRoom(bytes: number): boolean {
    if (this.#count === 0) return true;
    return this.#count < this.#bounds.max_calls && this.#bytes + bytes <= this.#bounds.max_bytes_in_flight;
  }

  enter(bytes: number): void {
    this.#count += 1;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#count -= 1;
    this.#bytes -= bytes;
  }

  /** What a new welcome says. What is in flight stays counted. */
  resize(bounds: Bounds): void {
    this.#bounds = bounds;
  }
}
