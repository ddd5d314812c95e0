import { bytesOf, checked, Extension, MAX_DEPTH, plain, tooDeep, unwritable } from './values.js';

/** Texts up to this many characters are written by hand, which is faster than to ask the platform. */
const SHORT = 40;
const FIRST_BYTES = 2_048;

const text = new TextEncoder();

/**
 * Writes values as MessagePack. Whole numbers are integers as far as a JavaScript number is exact, also beyond 32
 * bits; `bigint`s are integers of up to 64 bits. Members that are `undefined` are left out, as in JSON.
 */
export class Writer {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** The value's bytes, which belong to the caller. */
  encode(value: unknown): Uint8Array<ArrayBuffer> {
    this.#at = 0;
    this.#value(value, 0);
    return this.#bytes.slice(0, this.#at);
  }

  #value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        return this.#byte(value ? 0xc3 : 0xc2);
      case 'undefined':
        return this.#byte(0xc0);
      case 'bigint':
        return this.#bigint(value);
      case 'object':
        return value === null ? this.#byte(0xc0) : this.#object(value, depth);
      default:
        throw unwritable(value);
    }
  }

  #object(value: object, depth: number): void {
    if (Array.isArray(value)) {
      this.#head(value.length, 0x90, 15, 0xdc);
      for (const item of value) this.#value(item, this.#deeper(depth));
      return;
    }
    if (Object.getPrototypeOf(value) !== Object.prototype) {
      const bytes = bytesOf(value);
      if (bytes) return this.#binary(bytes);
      if (value instanceof Extension) return this.#extension(value);
      if (value instanceof Map) return this.#map(value, depth);
    }
    const said = plain(value);
    if (said !== value) return this.#value(said, this.#deeper(depth));
    this.#members(value as Record<string, unknown>, this.#deeper(depth));
  }

  #members(object: Record<string, unknown>, depth: number): void {
    const keys = Object.keys(object);
    let count = 0;
    for (const key of keys) if (object[key] !== undefined) count += 1;
    this.#head(count, 0x80, 15, 0xde);
    for (const key of keys) {
      const value = object[key];
      if (value === undefined) continue;
      this.#string(key);
      this.#value(value, depth);
    }
  }

  #map(map: Map<unknown, unknown>, depth: number): void {
    const inner = this.#deeper(depth);
    this.#head(map.size, 0x80, 15, 0xde);
    for (const [key, value] of map) {
      this.#value(key, inner);
      this.#value(value, inner);
    }
  }

  #deeper(depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    return depth + 1;
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) return this.#float(value);
    if (value >= 0) {
      if (value < 0x80) this.#byte(value);
      else if (value < 0x100) this.#tagged(0xcc, 1, value);
      else if (value < 0x1_0000) this.#tagged(0xcd, 2, value);
      else if (value < 0x1_0000_0000) this.#tagged(0xce, 4, value);
      else this.#wide(0xcf, value / 0x1_0000_0000, value);
    } else if (value >= -0x20) this.#byte(value & 0xff);
    else if (value >= -0x80) this.#tagged(0xd0, 1, value);
    else if (value >= -0x8000) this.#tagged(0xd1, 2, value);
    else if (value >= -0x8000_0000) this.#tagged(0xd2, 4, value);
    else this.#wide(0xd3, Math.floor(value / 0x1_0000_0000), value);
  }

  #bigint(value: bigint): void {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return this.#number(number);
    const at = this.#grow(9);
    this.#bytes[at] = value < 0n ? 0xd3 : 0xcf;
    this.#view.setBigUint64(at + 1, BigInt.asUintN(64, checked(value)));
  }

  #float(value: number): void {
    const at = this.#grow(9);
    this.#bytes[at] = 0xcb;
    this.#view.setFloat64(at + 1, value);
  }

  #string(value: string): void {
    if (value.length <= SHORT && this.#ascii(value)) return;
    // Three bytes for each UTF-16 unit is the most that UTF-8 needs.
    const most = value.length * 3;
    const from = this.#grow(5 + most);
    const size = most < 0x20 ? 1 : most < 0x100 ? 2 : most < 0x1_0000 ? 3 : 5;
    const { written } = text.encodeInto(value, this.#bytes.subarray(from + size, from + size + most));
    this.#at = from;
    if (size === 1) this.#byte(0xa0 | written);
    else this.#tagged(size === 2 ? 0xd9 : size === 3 ? 0xda : 0xdb, size - 1, written);
    this.#at += written;
  }

  /** Writes a short text of ASCII alone; false, and nothing is written, for any other. */
  #ascii(value: string): boolean {
    const length = value.length;
    const from = this.#grow(length + 2);
    const bytes = this.#bytes;
    let at = from;
    if (length < 0x20) bytes[at++] = 0xa0 | length;
    else {
      bytes[at++] = 0xd9;
      bytes[at++] = length;
    }
    for (let index = 0; index < length; index += 1) {
      const unit = value.charCodeAt(index);
      if (unit >= 0x80) {
        this.#at = from;
        return false;
      }
      bytes[at++] = unit;
    }
    this.#at = at;
    return true;
  }

  #binary(bytes: Uint8Array): void {
    if (bytes.length < 0x100) this.#tagged(0xc4, 1, bytes.length);
    else this.#tagged(bytes.length < 0x1_0000 ? 0xc5 : 0xc6, bytes.length < 0x1_0000 ? 2 : 4, bytes.length);
    this.#put(bytes);
  }

  #extension({ type, data }: Extension): void {
    const fixed = [1, 2, 4, 8, 16].indexOf(data.length);
    if (fixed >= 0) this.#byte(0xd4 + fixed);
    else if (data.length < 0x100) this.#tagged(0xc7, 1, data.length);
    else this.#tagged(data.length < 0x1_0000 ? 0xc8 : 0xc9, data.length < 0x1_0000 ? 2 : 4, data.length);
    this.#byte(type & 0xff);
    this.#put(data);
  }

  /** The head of a list or map. */
  #head(length: number, short: number, most: number, tag: number): void {
    if (length <= most) this.#byte(short | length);
    else if (length < 0x1_0000) this.#tagged(tag, 2, length);
    else this.#tagged(tag + 1, 4, length);
  }

  #byte(byte: number): void {
    const at = this.#grow(1);
    this.#bytes[at] = byte;
  }

  #tagged(tag: number, size: 1 | 2 | 4 | number, value: number): void {
    const at = this.#grow(1 + size);
    this.#bytes[at] = tag;
    if (size === 1) this.#bytes[at + 1] = value;
    else if (size === 2) this.#view.setUint16(at + 1, value);
    else this.#view.setUint32(at + 1, value);
  }

  /** 64 bits of which the upper half is given apart. */
  #wide(tag: number, upper: number, lower: number): void {
    const at = this.#grow(9);
    this.#bytes[at] = tag;
    this.#view.setUint32(at + 1, upper);
    this.#view.setUint32(at + 5, lower);
  }

  #put(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Takes so many bytes of room; the place where they begin. */
  #grow(size: number): number {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) {
      const larger = new Uint8Array(this.#at * 2);
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
