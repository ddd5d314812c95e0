import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Beginning, Book, MAX_KEPT, MAX_WAITING, type Sink } from '../src/book.js';
import { codecOf } from '../src/codec/codec.js';
import type { MaculaError } from '../src/error.js';
import { Closed, Lost, Overloaded, Timeout } from '../src/index.js';

const BOUNDS = { max_calls: 4, max_bytes_in_flight: 1_000 };

/** A sink that remembers what came. */
class Heard implements Sink {
  readonly said: unknown[] = [];
  error: MaculaError | undefined;
  last: string | undefined;
  begunAnew = 0;

  hear(frame: { type: string }): void {
    this.said.push(frame.type);
  }

  end(frame: { type: string }): void {
    this.said.push(frame.type);
  }

  fail(error: MaculaError): void {
    this.error = error;
  }

  position(): string | undefined {
    return this.last;
  }

  beginAnew(): void {
    this.begunAnew += 1;
  }
}

function book(bounds = BOUNDS): Book {
  const codec = codecOf('json', 'number');
  const made = new Book((frame) => codec.encodeFrame(frame));
  made.resumed(bounds, []);
  return made;
}

const CALL = { type: 'call', procedure: 'a.b' } as const;
const KEYED = { ...CALL, idempotency_key: 'once' } as const;
const SUBSCRIBE = { type: 'subscribe', pattern: 'a.**' } as const;
const SERVE = { type: 'serve', procedure: 'a.b' } as const;

/** All that may be said by now. */
function said(from: Book): number[] {
  const ids: number[] = [];
  for (let next = from.next(); next; next = from.next()) ids.push(next.id);
  return ids;
}

function begun(frames: Beginning[], bounds = BOUNDS): { book: Book; heard: Heard[] } {
  const made = book(bounds);
  const heard = frames.map(() => new Heard());
  frames.forEach((frame, index) => {
    made.begin({ ...frame }, heard[index] as Heard);
  });
  return { book: made, heard };
}

describe('what is in flight', () => {
  test('is bounded as the gateway says, and the rest waits for its turn', () => {
    const { book } = begun([CALL, CALL, CALL, CALL, CALL, CALL, SUBSCRIBE]);
    expect(said(book)).toStrictEqual([1, 2, 3, 4]);
    book.take({ type: 'result', id: 2 });
    expect(said(book)).toStrictEqual([5]);
    book.giveUp(1);
    // What is no call has no bound, but its turn.
    expect(said(book)).toStrictEqual([6, 7]);
  });

  test('is bounded in bytes, but one always may go', () => {
    const large = { ...CALL, payload: 'x'.repeat(900) };
    const { book } = begun([large, large, { ...CALL, payload: 'x'.repeat(5_000) }]);
    expect(said(book)).toStrictEqual([1]);
    book.take({ type: 'result', id: 1 });
    expect(said(book)).toStrictEqual([2]);
    book.take({ type: 'result', id: 2 });
    expect(said(book)).toStrictEqual([3]);
  });

  test('stays counted rightly over anything that happens', () => {
    const step = fc.constantFrom('begin', 'keyed', 'say', 'answer', 'giveUp', 'fail', 'resume', 'anew', 'notSent');
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(30)), { maxLength: 100 }), (steps) => {
        const made = book();
        const inFlight = new Set<number>();
        for (const [what, id] of steps) {
          if (what === 'begin' || what === 'keyed') made.begin({ ...(what === 'begin' ? CALL : KEYED) }, new Heard());
          else if (what === 'say') for (const sent of said(made)) inFlight.add(sent);
          else if (what === 'answer') made.take({ type: 'result', id });
          else if (what === 'giveUp') made.giveUp(id);
          else if (what === 'fail') made.fail(id, new Closed());
          else if (what === 'notSent') made.notSent(id);
          else if (what === 'resume') made.resumed(BOUNDS, [id]);
          else made.anew(BOUNDS);
          if (['answer', 'giveUp', 'fail', 'notSent', 'resume'].includes(what)) inFlight.delete(id);
          if (what === 'anew') inFlight.clear();
          expect(inFlight.size).toBeLessThanOrEqual(BOUNDS.max_calls);
        }
        // Nothing is stuck: when all that is in flight is answered the rest is said.
        made.anew(BOUNDS);
        for (let ids = said(made); ids.length > 0; ids = said(made))
          for (const id of ids) made.take({ type: 'result', id });
        expect(made.counts.calls).toBe(0);
      }),
    );
  });

  test('does not wait without a bound', () => {
    const made = book();
    for (let waiting = 0; waiting < MAX_WAITING; waiting += 1) made.begin({ ...CALL }, new Heard());
    expect(() => made.begin({ ...CALL }, new Heard())).toThrow(Overloaded);
  });
});

describe('after a loss', () => {
  test('a resume names what goes on', () => {
    const { book, heard } = begun([CALL, SUBSCRIBE, SUBSCRIBE, SERVE, CALL]);
    said(book);
    (heard[1] as Heard).last = 'E1';
    book.take({ type: 'result', id: 5 });
    book.begin({ ...CALL }, new Heard());
    const resume = book.resume('S');
    expect(resume).toStrictEqual({
      session: 'S',
      subscriptions: [{ id: 2, last_event_id: 'E1' }],
      pending: [1, 4],
      invokes: [],
    });
  });

  test('what the gateway does not know is said again, if to say it twice is no harm', () => {
    const { book, heard } = begun([CALL, KEYED, SUBSCRIBE, SERVE]);
    said(book);
    (heard[2] as Heard).last = 'E1';
    book.resumed(BOUNDS, [1, 2, 3, 4]);
    expect(heard[0]?.error).toBeInstanceOf(Lost);
    const again = [book.next(), book.next(), book.next()].map((operation) => operation?.frame);
    expect(again).toMatchObject([{ id: 2 }, { id: 3, after: 'E1' }, { id: 4 }]);
  });

  test('what goes on is not said again', () => {
    const { book } = begun([CALL, SERVE]);
    said(book);
    book.resumed(BOUNDS, []);
    expect(said(book)).toStrictEqual([]);
    expect(book.counts).toStrictEqual({ subscriptions: 0, services: 1, calls: 1 });
  });

  test('what was refused before it began goes on behind the last event, in a new session', () => {
    const { book, heard } = begun([{ ...SUBSCRIBE, replay: 5 }]);
    said(book);
    (heard[0] as Heard).last = 'E1';
    book.notSent(1);
    book.anew(BOUNDS);
    expect(book.next()?.frame).toStrictEqual({ ...SUBSCRIBE, id: 1, after: 'E1' });
    expect(heard[0]?.begunAnew).toBe(1);
  });

  test('a new session has no calls to answer', () => {
    const made = book();
    let aborted = 0;
    const frame = {
      type: 'invoke',
      id: 9,
      serve: 1,
      realm: 'dev',
      procedure: 'a',
      caller: 'c',
      timeout_ms: 1,
    } as const;
    made.invoked({ frame, abort: () => (aborted += 1) });
    expect(made.resume('S').invokes).toStrictEqual([9]);
    made.anew(BOUNDS);
    expect(aborted).toBe(1);
    expect(made.resume('S').invokes).toStrictEqual([]);
  });

  test('answers that may be lost are said again until they are confirmed, and at most so many are kept', () => {
    const made = book();
    for (let id = 1; id <= MAX_KEPT + 1; id += 1) made.keep({ type: 'result', id });
    expect(made.resume('S').invokes).toHaveLength(MAX_KEPT);
    expect(made.resumed(BOUNDS, []).map(({ id }) => id)).toContain(MAX_KEPT + 1);
    made.confirm(made.kept);
    expect(made.resumed(BOUNDS, [])).toStrictEqual([]);
  });
});

describe('what the gateway says', () => {
  test('goes to its operation, and an end is the last', () => {
    const { book, heard } = begun([CALL, SUBSCRIBE]);
    said(book);
    book.take({ type: 'progress', id: 1 });
    book.take({ type: 'result', id: 1 });
    book.take({ type: 'progress', id: 1 });
    book.take({ type: 'gap', id: 2, reason: 'slow_reader' });
    book.take({ type: 'ended', id: 2 });
    expect(heard.map(({ said }) => said)).toStrictEqual([
      ['progress', 'result'],
      ['gap', 'ended'],
    ]);
  });

  test('is an error of the code, or a plain problem for a code that is not known', () => {
    const { book, heard } = begun([CALL, CALL]);
    said(book);
    const problem = { type: '/', title: '', status: 504, detail: 'd', instance: '', retry: 'later' };
    book.take({ type: 'error', id: 1, problem: { ...problem, code: 'timeout' } });
    book.take({ type: 'error', id: 2, problem: { ...problem, code: 'tomorrow', more: 1 } as never });
    expect(heard[0]?.error).toBeInstanceOf(Timeout);
    expect(heard[1]?.error).toMatchObject({ name: 'Problem', code: 'tomorrow', report: { more: 1 } });
  });

  test('to give up says so only of what was said', () => {
    const { book } = begun([CALL, SUBSCRIBE, SERVE]);
    expect(book.giveUp(1)).toBeUndefined();
    expect(said(book)).toStrictEqual([2, 3]);
    expect(book.giveUp(2)).toStrictEqual({ type: 'unsubscribe', id: 2 });
    expect(book.giveUp(3)).toStrictEqual({ type: 'unserve', id: 3 });
    expect(book.giveUp(3)).toBeUndefined();
  });
});
