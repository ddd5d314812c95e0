import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Ending, Operation } from '../src/book.js';
import { call, StreamingCall } from '../src/call.js';
import { codecOf } from '../src/codec/codec.js';
import type { ClientFrame, GatewayFrame, WelcomeFrame } from '../src/generated/types.js';
import { Closed, HandlerError, PayloadTooLarge, Timeout } from '../src/index.js';
import { checked } from '../src/options.js';
import { serve } from '../src/service.js';
import { Session } from '../src/session.js';
import { Subscription } from '../src/subscription.js';
import { type Channel, type Listener, NO_CHANNEL, type Wire } from '../src/transport/wire.js';

const WELCOME: WelcomeFrame = {
  type: 'welcome',
  session: 'S',
  realm: 'dev',
  subject: 'me',
  node: 'n',
  expires_at: '',
  grace_seconds: 30,
  limits: { max_frame_bytes: 1_000, max_calls: 8, max_subscriptions: 8, max_procedures: 8, max_bytes_in_flight: 8_000 },
};

/** A wire that remembers what was said, and says what it is told to. */
class FakeWire implements Wire {
  readonly transport = 'websocket';
  readonly congested = false;
  readonly said: (ClientFrame | Ending)[] = [];
  abandoned = false;
  listener: Listener | undefined;

  async hello(): Promise<WelcomeFrame> {
    return WELCOME;
  }
  listen(listener: Listener): void {
    this.listener = listener;
  }
  send({ frame }: Operation): void {
    this.said.push(frame);
  }
  giveUp(ending: Ending): void {
    this.said.push(ending);
  }
  say(frame: ClientFrame): void {
    this.said.push(frame);
  }
  async close(): Promise<void> {}
  abandon(): void {
    this.abandoned = true;
  }
  hears(frame: GatewayFrame, channel: Channel = NO_CHANNEL): void {
    this.listener?.heard(frame, channel);
  }
}

function open(): { session: Session; wire: FakeWire } {
  const session = new Session(checked('https://localhost', {}), codecOf('msgpack', 'number'), WELCOME);
  const wire = new FakeWire();
  session.attach(wire, WELCOME, (book) => book.resumed(WELCOME.limits, []));
  return { session, wire };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a call', () => {
  test('gives its result, and null for none', async () => {
    const { session, wire } = open();
    const calling = call(session, 'a.b', { x: 1 }, { timeout: 100 });
    expect(wire.said).toStrictEqual([{ type: 'call', id: 1, procedure: 'a.b', timeout_ms: 100, payload: { x: 1 } }]);
    wire.hears({ type: 'result', id: 1 });
    expect(await calling).toBeNull();
  });

  test('that is aborted is given up, and rejects with the reason', async () => {
    const { session, wire } = open();
    const controller = new AbortController();
    const calling = call(session, 'a.b', 1, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(calling).rejects.toThrow('enough');
    expect(wire.said[1]).toStrictEqual({ type: 'cancel', id: 1 });
    await expect(call(session, 'a.b', 1, { signal: controller.signal })).rejects.toThrow('enough');
    expect(wire.said).toHaveLength(2);
  });

  test('ends at its time though the transport is away', async () => {
    const { session, wire } = open();
    wire.listener?.lost();
    const calling = expect(call(session, 'a.b', 1, { timeout: 1_000 })).rejects.toThrow(Timeout);
    await vi.advanceTimersByTimeAsync(4_000);
    await calling;
    expect(session.book.counts.calls).toBe(0);
  });

  test('that is too long for the gateway fails here, and the session goes on', async () => {
    const { session, wire } = open();
    await expect(call(session, 'a.b', 'x'.repeat(1_000), {})).rejects.toThrow(PayloadTooLarge);
    expect(wire.said).toStrictEqual([]);
  });

  test('that streams gives its progress and then its result; to leave the loop gives it up', async () => {
    const { session, wire } = open();
    const streaming = new StreamingCall(session, 'a.b', 1, {});
    for (const payload of [1, 2]) wire.hears({ type: 'progress', id: 1, payload });
    wire.hears({ type: 'result', id: 1, payload: 3 });
    const told: unknown[] = [];
    for await (const value of streaming) told.push(value);
    expect([told, await streaming.result]).toStrictEqual([[1, 2], 3]);

    const leaving = new StreamingCall(session, 'a.b', 1, {});
    wire.hears({ type: 'progress', id: 2, payload: 1 });
    for await (const _ of leaving) break;
    await expect(leaving.result).rejects.toThrow('abort');
    expect(wire.said.at(-1)).toStrictEqual({ type: 'cancel', id: 2 });
  });
});

describe('a subscription', () => {
  const event = (id: string, payload: unknown): GatewayFrame => ({
    type: 'event',
    id: 1,
    event: { id, realm: 'dev', topic: 'a', publisher: 'p', time: '', content_type: '', payload },
  });

  test('gives events and tells gaps; to leave the loop ends it', async () => {
    const { session, wire } = open();
    const gaps: unknown[] = [];
    const subscription = new Subscription(session, 'a.**', { onGap: (gap) => gaps.push(gap) });
    wire.hears({ type: 'subscribed', id: 1, backlog: 0, position: 'P' });
    await subscription.ready;
    wire.hears(event('E1', 1));
    wire.hears({ type: 'gap', id: 1, missed: 2, reason: 'slow_reader' });
    wire.hears(event('E2', 2));
    const payloads: unknown[] = [];
    for await (const { payload } of subscription) if (payloads.push(payload) === 2) break;
    expect([payloads, gaps, session.missed]).toStrictEqual([[1, 2], [{ missed: 2, reason: 'slow_reader' }], 2]);
    expect(wire.said.at(-1)).toStrictEqual({ type: 'unsubscribe', id: 1 });
  });

  test('ends without an error when the session is closed, and one that begins after that fails', async () => {
    const { session } = open();
    const reading = new Subscription(session, 'a.**')[Symbol.asyncIterator]().next();
    await session.end(new Closed());
    expect(await reading).toMatchObject({ done: true });
    await expect(new Subscription(session, 'a.**').ready).rejects.toThrow(Closed);
  });

  test('that knows no place to go on from tells a gap in a new session', async () => {
    const { session, wire } = open();
    const deliveries = new Subscription(session, 'a.**').deliveries();
    // A stream of Server-Sent Events tells no position.
    wire.hears({ type: 'subscribed', id: 1, backlog: 0, position: undefined as never });
    session.book.anew(WELCOME.limits);
    expect((await deliveries.next()).value).toStrictEqual({ gap: { missed: undefined, reason: 'unknown_id' } });
  });
});

describe('a service', () => {
  const invoke = {
    type: 'invoke',
    id: 9,
    serve: 1,
    realm: 'dev',
    procedure: 'a.b',
    caller: 'c',
    timeout_ms: 1_000,
  } as const;

  async function serving(handler: Parameters<typeof serve>[2], onError = (_: unknown) => {}) {
    const { session, wire } = open();
    const opening = serve(session, 'a.b', handler, { onError });
    wire.hears({ type: 'served', id: 1 });
    return { session, wire, service: await opening };
  }

  /** What is answered to an invocation. */
  async function answered(wire: FakeWire, progress = false): Promise<ClientFrame[]> {
    const said: ClientFrame[] = [];
    const say = (frame: ClientFrame) => void said.push(frame);
    wire.hears({ ...invoke, progress, payload: 2 }, { say, finish: async (frame) => said.push(frame) > 0 });
    await vi.advanceTimersByTimeAsync(0);
    return said;
  }

  test('answers with what its handler gives, after its progress', async () => {
    const { wire } = await serving((argument, { progress }) => {
      progress(1);
      return argument;
    });
    expect(await answered(wire, true)).toStrictEqual([
      { type: 'progress', id: 9, payload: 1 },
      { type: 'result', id: 9, payload: 2 },
    ]);
  });

  test('answers an error of its own in its words, and any other without them', async () => {
    const own = await serving(() => {
      throw new HandlerError('no_room', 'there is none', { rooms: 0 });
    });
    expect(await answered(own.wire)).toStrictEqual([
      { type: 'error', id: 9, code: 'no_room', detail: 'there is none', data: { rooms: 0 } },
    ]);
    const errors: unknown[] = [];
    const other = await serving(
      () => {
        throw new Error('secret');
      },
      (error) => errors.push(error),
    );
    expect(JSON.stringify(await answered(other.wire))).not.toContain('secret');
    expect(errors).toHaveLength(1);
  });

  test('cancels its handler when nobody waits, and answers nothing', async () => {
    let signal: AbortSignal | undefined;
    const { wire, session } = await serving((_, context) => {
      signal = context.signal;
      return new Promise((_, reject) => context.signal.addEventListener('abort', reject));
    });
    expect(await answered(wire)).toStrictEqual([]);
    wire.hears({ type: 'cancel', id: 9 });
    await vi.advanceTimersByTimeAsync(0);
    expect([signal?.aborted, session.book.invocations]).toStrictEqual([true, 0]);
  });

  test('answers on the next transport what it could not answer on the last', async () => {
    let answer = (_: unknown) => {};
    const { wire, session } = await serving(() => new Promise((resolve) => (answer = resolve)));
    await answered(wire);
    wire.listener?.lost();
    answer(7);
    await vi.advanceTimersByTimeAsync(0);
    expect(session.book.resume('S').invokes).toStrictEqual([9]);
    const next = new FakeWire();
    session.attach(next, WELCOME, (book) => book.resumed(WELCOME.limits, []));
    expect(next.said).toStrictEqual([{ type: 'result', id: 9, payload: 7 }]);
  });

  test('that is stopped says so, and is over', async () => {
    const { wire, service } = await serving(() => 1);
    service.stop();
    expect(wire.said.at(-1)).toStrictEqual({ type: 'unserve', id: 1 });
    expect(await service.ended).toBeUndefined();
  });
});

describe('a transport', () => {
  test('that is silent is asked, and lost when it does not answer', async () => {
    const { session, wire } = open();
    const lost = vi.fn();
    session.onLost = lost;
    await vi.advanceTimersByTimeAsync(session.config.patience);
    expect(wire.said.filter(({ type }) => type === 'ping')).not.toHaveLength(0);
    wire.hears({ type: 'pong' });
    expect(session.roundTrip).toBeGreaterThanOrEqual(0);
    await vi.advanceTimersByTimeAsync(session.config.patience * 0.9);
    expect(session.state).toBe('connected');
    await vi.advanceTimersByTimeAsync(session.config.patience * 0.7);
    expect([session.state, wire.abandoned, lost.mock.calls.length]).toStrictEqual(['reconnecting', true, 1]);
  });
});
