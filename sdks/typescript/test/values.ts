import fc from 'fast-check';

/** Whether JSON has the digits of an integer for it, which is read as one: beyond what is safe, as a `bigint`. */
const looksLikeBigInt = (value: number) =>
  Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21;

/** Any value that both encodings can say, of the kinds that come back as they were. */
export const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !looksLikeBigInt(value)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).filter((value) => !Number.isSafeInteger(Number(value))),
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary-ascii', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$bytes', '$$bytes', '$ext', '__proto__')), tie('value'), {
      noNullPrototype: true,
    }),
    fc.record({ $bytes: fc.string({ unit: 'binary-ascii', maxLength: 8 }) }, { noNullPrototype: true }),
    fc.record({ $bytes: fc.base64String({ maxLength: 12 }) }, { noNullPrototype: true }),
  ),
})).value;
