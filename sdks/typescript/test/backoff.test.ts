import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backoff, FIRST_MS, LONGEST_MS } from '../src/backoff.js';

test('pauses are anything up to a limit that doubles, and never longer than the longest', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }), (randoms) => {
      const backoff = new Backoff();
      randoms.forEach((random, attempt) => {
        expect(backoff.next(random)).toBe(random * Math.min(FIRST_MS * 2 ** attempt, LONGEST_MS));
      });
    }),
  );
});

test('the gateway may ask for more, and use resets it', () => {
  const backoff = new Backoff();
  expect(backoff.next(1, 7_000)).toBe(7_000);
  expect(backoff.next(1)).toBe(2 * FIRST_MS);
  backoff.reset();
  expect(backoff.next(1)).toBe(FIRST_MS);
});
