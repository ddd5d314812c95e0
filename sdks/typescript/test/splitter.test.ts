import fc from 'fast-check';
import { expect, test } from 'vitest';
import { framed, Splitter } from '../src/codec/splitter.js';

test('frames come out as they went in, however they are cut', () => {
  const frame = fc.uint8Array({ maxLength: 100 });
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), cuts, (frames, sizes) => {
      const stream = frames.flatMap((bytes) => [...framed(bytes)]);
      const splitter = new Splitter();
      const found: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn += 1) {
        const size = sizes[turn % sizes.length] as number;
        found.push(...splitter.push(Uint8Array.from(stream.slice(at, at + size))).map((bytes) => bytes.slice()));
        at += size;
      }
      expect(found).toStrictEqual(frames);
    }),
  );
});

test('long frames have long lengths', () => {
  for (const size of [63, 64, 16_383, 16_384, 100_000]) {
    const [frame] = new Splitter().push(framed(new Uint8Array(size).fill(3)));
    expect(frame?.length).toBe(size);
  }
});

test('a frame that is too long is refused before it has come', () => {
  expect(() => new Splitter(100).push(framed(new Uint8Array(101)).slice(0, 2))).toThrow('at most 100 bytes');
  // Eight bytes of length.
  expect(() => new Splitter().push(new Uint8Array(8).fill(0xff))).toThrow('at most');
});
