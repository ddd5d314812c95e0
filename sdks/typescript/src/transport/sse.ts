/**
 * Server-Sent Events for subscriptions, a request for each call: where no live session comes through. It speaks in
 * frames as the live transports do, and plays the gateway's part in hello, resume and ping.
 */
import type { Ending, Operation } from '../book.js';
import { ConnectError, ownProblem } from '../errors.js';
import type { ClientFrame, WelcomeFrame } from '../generated/types.js';
import { settled, within } from '../time.js';
import type { HttpSession } from './http/session.js';
import { FAREWELL_MS, type Hello, type Listener, NO_CHANNEL, OPEN_MS, type Wire } from './wire.js';

/** Requests in flight at a time. Browsers make no more than a hundred on a connection; streams of events count too. */
const MAX_REQUESTS = 64;
const MAX_BYTES = 4 << 20;
const FRAME_OVERHEAD = 16 << 10;

/** Asks whether the gateway is there. */
export async function openSse(session: HttpSession, signal: AbortSignal): Promise<Wire> {
  await within(OPEN_MS, session.probe(signal), () => new ConnectError('HTTP: no answer in 10 s'), signal);
  return new SseWire(session);
}

class SseWire implements Wire {
  readonly transport = 'sse';
  readonly congested = false;
  readonly #session: HttpSession;
  #listener: Listener | undefined;

  constructor(session: HttpSession) {
    this.#session = session;
  }

  async hello({ token, realm, subject, resume }: Hello): Promise<WelcomeFrame> {
    const session = this.#session;
    if (resume && nameOf(session.info?.id) !== resume.session) {
      throw ownProblem('session_expired', 401, 'never', 'a session of another transport cannot go on over HTTP');
    }
    const info = await session.open(token, realm, subject);
    const asked = [...(resume?.pending ?? []), ...(resume?.subscriptions ?? []).map(({ id }) => id)];
    return {
      type: 'welcome',
      session: nameOf(info.id),
      realm: info.realm,
      subject: info.subject,
      node: '',
      expires_at: info.expires_at,
      grace_seconds: 0,
      ...(session.token && { token: session.token }),
      ...(resume && { resumed: true, unknown: asked.filter((id) => !session.has(id)) }),
      limits: {
        max_frame_bytes: info.limits.max_body_bytes + FRAME_OVERHEAD,
        max_calls: MAX_REQUESTS,
        max_subscriptions: info.limits.max_streams,
        max_procedures: 0,
        max_bytes_in_flight: MAX_BYTES,
      },
    };
  }

  listen(listener: Listener): void {
    this.#listener = listener;
    this.#session.listener = listener;
  }

  send(operation: Operation): void {
    this.#session.begin(operation);
  }

  giveUp({ id }: Ending): void {
    this.#session.giveUp(id);
  }

  say(frame: ClientFrame): void {
    if (frame.type !== 'ping') return;
    this.#session.probe(AbortSignal.timeout(OPEN_MS)).then(
      () => this.#listener?.heard({ type: 'pong', ...(frame.id !== undefined && { id: frame.id }) }, NO_CHANNEL),
      // Silence tells it.
      () => {},
    );
  }

  async close(): Promise<void> {
    await settled(FAREWELL_MS, this.#session.close());
  }

  abandon(): void {
    this.#session.giveUpAll();
  }
}

/** The name of such a session, apart from those of live ones. */
function nameOf(id: string | undefined): string {
  return `http:${id}`;
}
