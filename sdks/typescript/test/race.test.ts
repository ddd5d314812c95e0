import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ConnectError, Invalid } from '../src/errors.js';
import { order, race } from '../src/transport/race.js';

/** Transports that come through after so many ms, or fail then. */
function runners(plan: Record<string, [number, Error?]>) {
  const started: string[] = [];
  const abandoned: string[] = [];
  const run = (name: string) => {
    started.push(name);
    const [ms, error] = plan[name] as [number, Error?];
    return new Promise<{ name: string; abandon(): void }>((resolve, reject) => {
      setTimeout(() => (error ? reject(error) : resolve({ name, abandon: () => abandoned.push(name) })), ms);
    });
  };
  return { started, abandoned, run };
}

const never = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function check(
  plan: Record<string, [number, Error?]>,
  expected: { wins: string; started: string[]; abandoned: string[] },
) {
  const { started, abandoned, run } = runners(plan);
  const racing = race(Object.keys(plan), run, never);
  await vi.advanceTimersByTimeAsync(5_000);
  expect({ wins: (await racing).name, started, abandoned }).toStrictEqual(expected);
}

test('the first has a head start, and others are not even tried when it is through by then', () =>
  check({ a: [200], b: [0] }, { wins: 'a', started: ['a'], abandoned: [] }));

test('the next is tried beside one that is slow, and what comes late is abandoned', () =>
  check({ a: [1_000], b: [100] }, { wins: 'b', started: ['a', 'b'], abandoned: ['a'] }));

test('the next is tried at once when one fails', () =>
  check(
    { a: [10, new ConnectError('no')], b: [2_000], c: [9_000] },
    { wins: 'b', started: ['a', 'b', 'c'], abandoned: [] },
  ));

test('when all fail, all that went wrong is told, or what is no matter of connecting', async () => {
  const all = async (plan: Record<string, [number, Error?]>) => {
    const racing = race(Object.keys(plan), runners(plan).run, never).catch((error) => error.message);
    await vi.advanceTimersByTimeAsync(5_000);
    return racing;
  };
  expect(await all({ a: [1, new ConnectError('one')], b: [1, new ConnectError('two')] })).toBe('one; two');
  expect(await all({ a: [1, new ConnectError('one')], b: [1, new Invalid('two')] })).toBe('two');
});

test('it can be given up', async () => {
  const { run, abandoned } = runners({ a: [1_000] });
  const giving = new AbortController();
  const racing = race(['a'], run, giving.signal).catch((error) => error.name);
  giving.abort();
  expect(await racing).toBe('AbortError');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(abandoned).toStrictEqual(['a']);
});

test('the winner of the last time goes first', () => {
  expect(order(['a', 'b', 'c'], 'c')).toStrictEqual(['c', 'a', 'b']);
  expect(order(['a', 'b'], 'c')).toStrictEqual(['a', 'b']);
});
