import { Invalid } from '../errors.js';

/** The deepest nesting of a value, as the gateway takes it. */
export const MAX_DEPTH = 64;

/** An application's type in MessagePack; `{"$ext": …}` in JSON. */
export class Extension {
  constructor(
    /** From -128 to 127; what it means is the application's. */
    readonly type: number,
    /** Its bytes. */
    readonly data: Uint8Array,
  ) {}
}

/** How integers that a JavaScript number cannot say exactly are given: rounded, or as `bigint`. */
export type Integers = 'number' | 'bigint';

/** The integer as a number where that is exact, or as asked for. */
export function integer(value: bigint, integers: Integers): number | bigint {
  const number = Number(value);
  return integers === 'number' || Number.isSafeInteger(number) ? number : value;
}

/** The bytes of anything that is bytes: `ArrayBuffer`, typed array, `DataView`. */
export function bytesOf(value: object): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

/** What `toJSON` makes of a value that has it, as a date does. */
export function plain(value: object): unknown {
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === 'function' ? toJSON.call(value) : value;
}

export function unwritable(value: unknown): Invalid {
  return new Invalid(`expected a value that MessagePack or JSON can say, found a ${typeof value}`);
}

export function tooDeep(): Invalid {
  return new Invalid(`expected a value of at most ${MAX_DEPTH} levels`);
}

/** A 64-bit integer, or an error: neither encoding has longer ones. */
export function checked(value: bigint): bigint {
  if (value < -(2n ** 63n) || value >= 2n ** 64n) throw new Invalid('expected an integer of at most 64 bits');
  return value;
}

/** Sets a member whatever its name is; `__proto__` is a name as any other. */
export function setMember(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[key] = value;
  }
}
