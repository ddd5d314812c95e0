import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Queue } from '../src/queue.js';

test('every event is delivered in order or told as missed, and the queue keeps its bound', () => {
  const steps = fc.array(fc.oneof(fc.constant('push'), fc.constant('shift')), { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), steps, (room, all) => {
      const queue = new Queue<number>(room);
      let pushed = 0;
      let seen = 0;
      const shift = () => {
        const delivery = queue.shift();
        if (!delivery) return false;
        if (delivery.gap) seen += delivery.gap.missed as number;
        else expect(delivery.event).toBe(seen++);
        return true;
      };
      for (const step of all) {
        if (step === 'push') queue.push(pushed++);
        else shift();
        expect(queue.length).toBeLessThanOrEqual(room);
      }
      while (shift()) {}
      expect(seen).toBe(pushed);
    }),
  );
});

test('a gap that does not fit is told with those that were lost', () => {
  const queue = new Queue<string>(1);
  queue.push('a');
  queue.gap({ missed: 3, reason: 'outside_window' });
  queue.push('b');
  expect(queue.shift()).toStrictEqual({ event: 'a' });
  expect(queue.shift()).toStrictEqual({ gap: { missed: 4, reason: 'slow_reader' } });
  expect(queue.shift()).toBeUndefined();
});
