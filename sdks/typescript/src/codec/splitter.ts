/** Frames on a stream of bytes: each after its length, a QUIC varint (RFC 9000 §16). */
import { MaculaError } from '../error.js';

/** The longest frame that is taken, in bytes. */
export const MAX_FRAME_BYTES = 64 << 20;

/** A frame after its length. */
export function framed(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  const size = frame.length < 0x40 ? 1 : frame.length < 0x4000 ? 2 : 4;
  const bytes = new Uint8Array(size + frame.length);
  const view = new DataView(bytes.buffer);
  if (size === 1) view.setUint8(0, frame.length);
  else if (size === 2) view.setUint16(0, frame.length | 0x4000);
  else view.setUint32(0, (frame.length | 0x8000_0000) >>> 0);
  bytes.set(frame, size);
  return bytes;
}

/** Cuts a stream of bytes into frames, however it comes in pieces. Holds at most one frame and one piece. */
export class Splitter {
  #held = new Uint8Array();
  readonly #limit: number;

  constructor(limit = MAX_FRAME_BYTES) {
    this.#limit = limit;
  }

  /** Takes a piece; the frames that are whole with it. They may share memory with it. */
  push(piece: Uint8Array): Uint8Array[] {
    let bytes = piece;
    if (this.#held.length > 0) {
      bytes = new Uint8Array(this.#held.length + piece.length);
      bytes.set(this.#held);
      bytes.set(piece, this.#held.length);
    }
    const frames: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const head = length(bytes, at);
      if (!head) break;
      if (head.length > this.#limit) throw new MaculaError(`expected a frame of at most ${this.#limit} bytes`);
      const end = at + head.size + head.length;
      if (end > bytes.length) break;
      frames.push(bytes.subarray(at + head.size, end));
      at = end;
    }
    this.#held = bytes.slice(at);
    return frames;
  }
}

/** The length at this place, and how many bytes say it; nothing if they are not all there. */
function length(bytes: Uint8Array, at: number): { size: number; length: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const size = 1 << (first >> 6);
  if (at + size > bytes.length) return undefined;
  let length = first & 0x3f;
  for (let index = 1; index < size; index += 1) length = length * 0x100 + (bytes[at + index] as number);
  return { size, length };
}
