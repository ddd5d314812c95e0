import type { ClientFrame, GatewayFrame } from '../generated/types.js';
import { parseJson, restored, writeJson } from './json.js';
import { Reader } from './reader.js';
import type { Integers } from './values.js';
import { Writer } from './writer.js';

/** How frames and payloads are written. */
export type Encoding = 'msgpack' | 'json';

/** Turns frames and payloads into what goes over the wire, and back. */
export interface Codec {
  readonly encoding: Encoding;
  /** The media type of a payload that it has written. */
  readonly mediaType: string;
  /** A frame, as one message of a WebSocket: bytes for MessagePack, text for JSON. */
  encodeFrame(frame: ClientFrame): Uint8Array<ArrayBuffer> | string;
  decodeFrame(data: Uint8Array | string): GatewayFrame;
  encode(value: unknown): Uint8Array<ArrayBuffer> | string;
}

/** Members of frames that are values of the application's. */
const VALUES = new Set(['payload', 'data', 'argument_schema', 'result_schema']);

const utf8 = new TextDecoder();

class MsgPack implements Codec {
  readonly encoding = 'msgpack';
  readonly mediaType = 'application/msgpack';
  readonly #writer = new Writer();
  readonly #reader: Reader;

  constructor(integers: Integers) {
    this.#reader = new Reader(integers);
  }

  encodeFrame(frame: ClientFrame): Uint8Array<ArrayBuffer> {
    return this.#writer.encode(frame);
  }

  decodeFrame(data: Uint8Array): GatewayFrame {
    return this.#reader.decode(data) as GatewayFrame;
  }

  encode(value: unknown): Uint8Array<ArrayBuffer> {
    return this.#writer.encode(value);
  }
}

class Json implements Codec {
  readonly encoding = 'json';
  readonly mediaType = 'application/json';
  readonly #integers: Integers;

  constructor(integers: Integers) {
    this.#integers = integers;
  }

  encodeFrame(frame: ClientFrame): string {
    const members = Object.entries(frame).filter(([, value]) => value !== undefined);
    const written = members.map(([name, value]) => {
      return `"${name}":${VALUES.has(name) ? writeJson(value) : JSON.stringify(value)}`;
    });
    return `{${written.join(',')}}`;
  }

  decodeFrame(data: Uint8Array | string): GatewayFrame {
    const text = typeof data === 'string' ? data : utf8.decode(data);
    const frame = parseJson(text, this.#integers) as GatewayFrame;
    if ('payload' in frame) frame.payload = restored(frame.payload);
    if (frame.type === 'event') frame.event.payload = restored(frame.event.payload);
    if (frame.type === 'error' && frame.problem.handler) {
      frame.problem.handler.data = restored(frame.problem.handler.data);
    }
    return frame;
  }

  encode(value: unknown): string {
    return writeJson(value);
  }
}

export function codecOf(encoding: Encoding, integers: Integers): Codec {
  return encoding === 'json' ? new Json(integers) : new MsgPack(integers);
}

/** The value of a payload by its media type; bytes for any other than the two encodings. */
export function decodePayload(bytes: Uint8Array, mediaType: string, integers: Integers): unknown {
  if (/\bjson\b/.test(mediaType)) return restored(parseJson(utf8.decode(bytes), integers));
  return /\bmsgpack\b/.test(mediaType) ? new Reader(integers).decode(bytes) : bytes;
}
