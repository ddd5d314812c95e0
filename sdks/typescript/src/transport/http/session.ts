/** A session without a live transport: requests, and streams of events. It outlives the wires that it is used on. */
import type { Operation, Request } from '../../book.js';
import { type Codec, decodePayload } from '../../codec/codec.js';
import { ConnectError, ownProblem, problemOf } from '../../errors.js';
import type { GatewayFrame, Opened, SessionInfo } from '../../generated/types.js';
import type { Config } from '../../options.js';
import { Problem, type Report } from '../../problem.js';
import { type Listener, NO_CHANNEL } from '../wire.js';
import { eachEvent, frameOf } from './events.js';
import { type Asked, ask, requestOf } from './request.js';

export class HttpSession {
  info: SessionInfo | undefined;
  token: string | undefined;
  listener: Listener | undefined;
  readonly #config: Config;
  readonly #codec: Codec;
  readonly #inFlight = new Map<number, AbortController>();

  constructor(config: Config, codec: Codec) {
    this.#config = config;
    this.#codec = codec;
  }

  /** Shows the session of the token, or opens one. */
  async open(token: string | undefined, realm: string | undefined, subject: string | undefined): Promise<SessionInfo> {
    this.token = token;
    const json = { 'content-type': 'application/json', accept: 'application/json' };
    const opening = ask('openSession', { headers: json, body: JSON.stringify({ realm, subject }) });
    const asked = token ? ask('showSession', { headers: { accept: json.accept } }) : opening;
    const told = JSON.parse((await this.#answer(asked)).text) as SessionInfo | Opened;
    if ('token' in told) this.token = told.token;
    this.info = told;
    return told;
  }

  /** Whether the gateway answers at all. */
  async probe(signal: AbortSignal): Promise<void> {
    await this.#answer(ask('health', { headers: { accept: '*/*' } }), signal);
  }

  /** Asks, and gives the body of a good answer. */
  async #answer(asked: Asked, signal?: AbortSignal): Promise<{ text: string }> {
    try {
      const response = await this.#fetch(asked, signal);
      if (!response.ok) throw await this.#problem(response);
      return { text: await response.text() };
    } catch (error) {
      if (error instanceof Problem) throw error;
      signal?.throwIfAborted();
      throw new ConnectError(`HTTP: ${reasonOf(error)}`, { cause: error });
    }
  }

  #fetch({ method, path, headers, body }: Asked, signal?: AbortSignal, keepalive = false): Promise<Response> {
    const authorization = this.token && { authorization: `Bearer ${this.token}` };
    return fetch(this.#config.origin + path, {
      method,
      headers: { ...headers, ...authorization },
      cache: 'no-store',
      credentials: 'omit',
      keepalive,
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
  }

  async #problem(response: Response): Promise<Problem> {
    const retryAfter = Number(response.headers.get('retry-after')) || undefined;
    const mediaType = response.headers.get('content-type') ?? '';
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (mediaType.startsWith('application/problem')) {
      return problemOf(decodePayload(bytes, mediaType, this.#config.integers) as Report, retryAfter);
    }
    // Something between the gateway and us has answered.
    const retry = response.status < 500 && response.status !== 429 ? 'never' : 'later';
    const detail = `expected the answer of a gateway, found status ${response.status}`;
    return problemOf({ code: 'unexpected_answer', status: response.status, detail, retry }, retryAfter);
  }

  /** Whether an operation waits for an answer, or is a stream that goes on. */
  has(id: number): boolean {
    return this.#inFlight.has(id);
  }

  begin({ id, frame }: Operation): void {
    if (frame.type === 'serve') {
      const problem = ownProblem('invalid_request', 400, 'never', 'nothing can be served on SSE');
      return this.#fail(id, problem);
    }
    const controller = new AbortController();
    this.#inFlight.set(id, controller);
    this.#run(id, frame, controller.signal).then(
      () => this.#inFlight.delete(id),
      (error) => {
        // Given up: nobody is told.
        if (this.#inFlight.get(id) !== controller) return;
        this.#inFlight.delete(id);
        this.#failed(id, frame, error);
      },
    );
  }

  giveUp(id: number): void {
    this.#inFlight.get(id)?.abort();
    this.#inFlight.delete(id);
  }

  giveUpAll(): void {
    for (const id of [...this.#inFlight.keys()]) this.giveUp(id);
  }

  async #run(id: number, frame: Exclude<Request, { type: 'serve' }>, signal: AbortSignal): Promise<void> {
    const realm = frame.realm ?? this.info?.realm ?? this.#config.realm;
    const response = await this.#fetch(requestOf(frame, realm, this.#codec), signal);
    if (!response.ok) throw await this.#problem(response);
    const mediaType = response.headers.get('content-type') ?? '';
    if (mediaType.startsWith('text/event-stream') && response.body) return this.#stream(id, frame.type, response.body);
    const bytes = new Uint8Array(await response.arrayBuffer());
    // biome-ignore lint/suspicious/noExplicitAny: the answer is what the spec says of the operation.
    const said = decodePayload(bytes, mediaType, this.#config.integers) as any;
    if (frame.type === 'publish') this.#hear({ type: 'published', id, event_id: said.id });
    else if (frame.type === 'discover') this.#hear({ type: 'discovered', id, page: said });
    else this.#hear({ type: 'result', id, payload: said });
  }

  async #stream(id: number, type: Request['type'], body: ReadableStream<Uint8Array>): Promise<void> {
    let over = false;
    await eachEvent(body, (event) => {
      const frame = frameOf(id, event, this.#config.integers);
      if (!frame || over || !this.has(id)) return;
      if (frame.type === 'error' && type === 'subscribe') throw problemOf(frame.problem);
      over = frame.type === 'result' || frame.type === 'error';
      this.#hear(frame);
    });
    if (!over) throw new ConnectError('HTTP: a stream has ended');
  }

  #hear(frame: GatewayFrame): void {
    this.listener?.heard(frame, NO_CHANNEL);
  }

  #fail(id: number, { report }: Problem): void {
    this.#hear({ type: 'error', id, problem: report as never });
  }

  /** An operation has failed: for good, or with the transport or the session. */
  #failed(id: number, frame: Request, error: unknown): void {
    if (!(error instanceof Problem)) return this.listener?.lost();
    if (error.code === 'session_expired') {
      this.listener?.notSent(id);
      return this.listener?.lost();
    }
    // A stream of events that cannot go on now goes on later.
    const goesOn = frame.type === 'subscribe' && (error.status === 429 || error.status >= 500);
    if (!goesOn) return this.#fail(id, error);
    this.listener?.lost(error.retryAfter);
  }

  /** Ends the session at the gateway. */
  async close(): Promise<void> {
    this.giveUpAll();
    if (this.token && this.token !== this.#config.token)
      await this.#fetch(ask('endSession'), undefined, true).catch(() => {});
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message || cause.name}` : message;
}
