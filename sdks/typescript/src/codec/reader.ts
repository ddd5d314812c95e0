import { Extension, type Integers, integer, MAX_DEPTH, setMember, tooDeep } from './values.js';

/** Texts up to this many bytes are read by hand, which is faster than to ask the platform. */
const SHORT = 24;
/** Keys that come again and again are kept: so many places, for keys of so many bytes. */
const KEYS = 256;
const KEY_BYTES = 32;

const utf8 = new TextDecoder();

class Malformed extends Error {}

/**
 * Reads values from MessagePack. Maps whose keys are all texts become objects, others `Map`s. No length is believed:
 * what is not there is an error, before anything is made for it.
 */
export class Reader {
  readonly #integers: Integers;
  readonly #keys: ({ bytes: Uint8Array; key: string } | undefined)[] = new Array(KEYS).fill(undefined);
  #bytes: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = 0;

  constructor(integers: Integers) {
    this.#integers = integers;
  }

  /** The one value that the bytes are. */
  decode(bytes: Uint8Array): unknown {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
    const value = this.#value(0);
    if (this.#at !== bytes.length) throw new Malformed('expected the end of the value');
    return value;
  }

  #value(depth: number): unknown {
    const tag = this.#uint(1);
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag < 0x90) return this.#map(tag & 0xf, depth);
    if (tag < 0xa0) return this.#list(tag & 0xf, depth);
    if (tag < 0xc0) return this.#string(tag & 0x1f);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#uint(1 << (tag - 0xc4))).slice();
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#uint(1 << (tag - 0xc7)));
      case 0xca:
        return this.#view.getFloat32(this.#skip(4));
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (tag - 0xcc));
      case 0xcf:
        return integer(this.#view.getBigUint64(this.#skip(8)), this.#integers);
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xd3:
        return integer(this.#view.getBigInt64(this.#skip(8)), this.#integers);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#uint(1 << (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#uint(2 << (tag - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(2 << (tag - 0xde)), depth);
      default:
        if (tag >= 0xd4 && tag <= 0xd8) return this.#extension(1 << (tag - 0xd4));
        throw new Malformed(`expected a value, found the byte ${tag}`);
    }
  }

  #list(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    const list: unknown[] = [];
    for (let index = 0; index < length; index += 1) list.push(this.#value(depth + 1));
    return list;
  }

  #map(length: number, depth: number): Record<string, unknown> | Map<unknown, unknown> {
    this.#enter(length * 2, depth);
    const object: Record<string, unknown> = {};
    for (let index = 0; index < length; index += 1) {
      const key = this.#key(depth);
      if (typeof key !== 'string') return this.#anyKeys(object, key, length - index, depth);
      setMember(object, key, this.#value(depth + 1));
    }
    return object;
  }

  /** Goes on with a map in which a key is no text. */
  #anyKeys(before: Record<string, unknown>, first: unknown, left: number, depth: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>(Object.entries(before));
    map.set(first, this.#value(depth + 1));
    for (let index = 1; index < left; index += 1) map.set(this.#value(depth + 1), this.#value(depth + 1));
    return map;
  }

  #enter(items: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw tooDeep();
    // Each item has a byte at least.
    if (items > this.#bytes.length - this.#at) throw new Malformed('expected more bytes');
  }

  #key(depth: number): unknown {
    const tag = this.#bytes[this.#at];
    if (tag === undefined || tag < 0xa0 || tag > 0xbf) return this.#value(depth + 1);
    this.#at += 1;
    const length = tag & 0x1f;
    const from = this.#at;
    const bytes = this.#take(length);
    let hash = length;
    for (let index = 0; index < length; index += 1) hash = (hash * 31 + (bytes[index] as number)) | 0;
    const place = hash & (KEYS - 1);
    const kept = this.#keys[place];
    if (kept && same(kept.bytes, bytes)) return kept.key;
    this.#at = from;
    const key = this.#string(length);
    if (length <= KEY_BYTES) this.#keys[place] = { bytes: bytes.slice(), key };
    return key;
  }

  #string(length: number): string {
    const from = this.#skip(length);
    const end = from + length;
    if (length > SHORT) return utf8.decode(this.#bytes.subarray(from, end));
    let text = '';
    for (let at = from; at < end; at += 1) {
      const byte = this.#bytes[at] as number;
      if (byte >= 0x80) return utf8.decode(this.#bytes.subarray(from, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #extension(length: number): Extension {
    const type = this.#view.getInt8(this.#skip(1));
    return new Extension(type, this.#take(length).slice());
  }

  #uint(size: number): number {
    const at = this.#skip(size);
    if (size === 1) return this.#bytes[at] as number;
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #take(length: number): Uint8Array {
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** Goes over so many bytes; the place where they begin. */
  #skip(length: number): number {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new Malformed('expected more bytes');
    return from;
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}
