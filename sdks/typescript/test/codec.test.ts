import { Decoder, Encoder } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBase64, toBase64 } from '../src/codec/base64.js';
import { codecOf } from '../src/codec/codec.js';
import { parseJson, restored, writeJson } from '../src/codec/json.js';
import { Reader } from '../src/codec/reader.js';
import { Extension, MAX_DEPTH } from '../src/codec/values.js';
import { Writer } from '../src/codec/writer.js';
import { Invalid } from '../src/errors.js';
import { values } from './values.js';

const writer = new Writer();
const reader = new Reader('bigint');

/** A list of lists, so many deep. */
const nested = (depth: number) => Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 1);

describe('MessagePack', () => {
  test('values come back as what they were', () => {
    fc.assert(fc.property(values, (value) => void expect(reader.decode(writer.encode(value))).toStrictEqual(value)));
  });

  test('another reader reads the same', () => {
    const other = new Decoder({ useBigInt64: true });
    const plain = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'));
    const asNumbers = (value: unknown) =>
      JSON.parse(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? Number(v) : v)));
    fc.assert(
      fc.property(
        plain,
        (value) => void expect(asNumbers(other.decode(writer.encode(value)))).toStrictEqual(asNumbers(value)),
      ),
    );
  });

  test('what another writer writes is read as its own reader reads it', () => {
    const other = new Encoder();
    const own = new Decoder();
    const plain = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'));
    fc.assert(
      fc.property(plain, (value) => {
        const bytes = other.encode(value);
        expect(reader.decode(bytes)).toStrictEqual(own.decode(bytes));
      }),
    );
  });

  test('whole numbers beyond 32 bits are integers', () => {
    expect(writer.encode(2 ** 40)[0]).toBe(0xcf);
    expect(writer.encode(-(2 ** 40))[0]).toBe(0xd3);
    expect(writer.encode(0.5)[0]).toBe(0xcb);
  });

  test('integers are rounded unless asked for as they are', () => {
    const bytes = writer.encode(2n ** 53n + 1n);
    expect(new Reader('number').decode(bytes)).toBe(2 ** 53);
    expect(reader.decode(bytes)).toBe(2n ** 53n + 1n);
  });

  test('extensions, maps with other keys, and dates', () => {
    for (const size of [0, 1, 2, 3, 4, 8, 16, 17, 300, 70_000]) {
      const extension = new Extension(-5, new Uint8Array(size).fill(7));
      expect(reader.decode(writer.encode(extension))).toStrictEqual(extension);
    }
    const map = new Map<unknown, unknown>([
      ['a', 1],
      [2, 'b'],
    ]);
    expect(reader.decode(writer.encode(map))).toStrictEqual(map);
    expect(reader.decode(writer.encode(new Date(0)))).toBe('1970-01-01T00:00:00.000Z');
    expect(reader.decode(writer.encode({ a: undefined, b: 1 }))).toStrictEqual({ b: 1 });
  });

  test('large lists, maps and bytes', () => {
    for (const size of [15, 16, 70_000]) {
      const list = Array.from({ length: size }, (_, index) => index);
      expect(reader.decode(writer.encode(list))).toStrictEqual(list);
      const map = Object.fromEntries(list.map((index) => [`key-${index}`, index]));
      expect(reader.decode(writer.encode(map))).toStrictEqual(map);
      const bytes = new Uint8Array(size).fill(9);
      expect(reader.decode(writer.encode(bytes))).toStrictEqual(bytes);
    }
  });

  test('any bytes are a value or an error, and no length is believed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          reader.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect(error).not.toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 5_000 },
    );
    expect(() => reader.decode(Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff))).toThrow('more bytes');
    expect(() => reader.decode(Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff))).toThrow('more bytes');
  });

  test('what cannot be said is refused', () => {
    expect(() => writer.encode(2n ** 64n)).toThrow(Invalid);
    expect(() => writer.encode(() => 1)).toThrow(Invalid);
    expect(() => writer.encode(nested(MAX_DEPTH + 1))).toThrow(Invalid);
    expect(reader.decode(writer.encode(nested(MAX_DEPTH)))).toStrictEqual(nested(MAX_DEPTH));
    expect(() => reader.decode(new Uint8Array(100).fill(0x91))).toThrow(Invalid);
  });
});

describe('JSON', () => {
  const back = (value: unknown) => restored(parseJson(writeJson(value), 'bigint'));

  test('values come back as what they were', () => {
    fc.assert(fc.property(values, (value) => void expect(back(value)).toStrictEqual(value)));
  });

  test('extensions have a form too, and a map that looks like one stays a map', () => {
    const extension = new Extension(5, Uint8Array.of(1, 2, 3));
    expect(writeJson(extension)).toBe('{"$ext":{"type":5,"data":"AQID"}}');
    expect(back(extension)).toStrictEqual(extension);
    const map = { $ext: { type: 5, data: 'AQID' } };
    expect(writeJson(map)).toBe('{"$$ext":{"type":5,"data":"AQID"}}');
    expect(back(map)).toStrictEqual(map);
  });

  test('digits in texts are no integers', () => {
    const value = { text: '"12345678901234567890', n: 12345678901234567890n };
    expect(back(value)).toStrictEqual(value);
  });

  test('what cannot be said is refused', () => {
    expect(() => writeJson(Number.NaN)).toThrow(Invalid);
    expect(() => writeJson(new Map([[1, 2]]))).toThrow(Invalid);
    expect(() => writeJson(nested(MAX_DEPTH + 1))).toThrow(Invalid);
  });

  test('base64 has one form', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20_000 }),
        (bytes) => void expect(fromBase64(toBase64(bytes))).toStrictEqual(bytes),
      ),
    );
    for (const text of ['AQI', 'AQJ=', 'AQ=I', '====', 'A$==']) expect(fromBase64(text)).toBeUndefined();
  });
});

describe('frames', () => {
  test('only the members that are values have forms', () => {
    const codec = codecOf('json', 'number');
    const frame = {
      type: 'call' as const,
      id: 1,
      procedure: 'a.b',
      headers: { $bytes: 'AQI=' },
      payload: Uint8Array.of(1, 2),
    };
    const text = codec.encodeFrame(frame);
    expect(text).toBe(
      '{"type":"call","id":1,"procedure":"a.b","headers":{"$bytes":"AQI="},"payload":{"$bytes":"AQI="}}',
    );
    const event = `{"type":"event","id":2,"event":{"headers":{"$bytes":"AQI="},"payload":{"$bytes":"AQI="}}}`;
    expect(codec.decodeFrame(event)).toMatchObject({
      event: { headers: { $bytes: 'AQI=' }, payload: Uint8Array.of(1, 2) },
    });
  });
});
