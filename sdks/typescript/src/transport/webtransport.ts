/** A live session on WebTransport: a control stream, a stream for each operation, and datagrams. */
import type { Ending, Operation } from '../book.js';
import type { Codec } from '../codec/codec.js';
import { framed, Splitter } from '../codec/splitter.js';
import { ConnectError, Invalid } from '../errors.js';
import type { ClientFrame, GatewayFrame, WelcomeFrame } from '../generated/types.js';
import type { Config } from '../options.js';
import { settled, within } from '../time.js';
import { problemOfClose, welcomeOf } from './welcome.js';
import { type Channel, FAREWELL_MS, type Hello, type Listener, OPEN_MS, type Wire } from './wire.js';

const utf8 = new TextEncoder();

/**
 * The last sessions that were left, with their streams, and the last streams that were given up. Chromium's renderer
 * crashes when what is left of them is collected as garbage while the browser still ends them, and for a while after
 * `closed` has told the end.
 */
const left: unknown[] = [];
/** So many are kept: more than a page leaves within seconds. */
const MAX_LEFT = 256;

function keep(what: unknown): void {
  if (left.push(what) > MAX_LEFT) left.shift();
}

/** Opens a session and its control stream. */
export async function openWebTransport(config: Config, codec: Codec, signal: AbortSignal): Promise<Wire> {
  if (!globalThis.WebTransport) throw new Invalid('expected WebTransport: this platform has none');
  const hashes = config.certificateHashes.map((value) => ({ algorithm: 'sha-256', value }));
  const options = hashes.length > 0 ? { serverCertificateHashes: hashes } : {};
  const session = new WebTransport(`${config.origin}/v1/connect`, options);
  // Whoever waits for these has an error of its own; nobody may wait for them.
  session.closed.catch(() => {});
  const opening = session.ready.then(() => session.createBidirectionalStream());
  opening.catch(() => {});
  try {
    const late = () => new ConnectError(`no answer in ${OPEN_MS / 1_000} s`);
    const control = await within(OPEN_MS, opening, late, signal);
    return new WebTransportWire(session, new Stream(control, codec), codec);
  } catch (error) {
    keep(session);
    leave(session);
    if (signal.aborted) throw signal.reason;
    throw new ConnectError(`WebTransport: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** Closes the session, if it is open; Deno's throws when it is not. */
function leave(session: WebTransport, closeCode = 0): void {
  try {
    session.close({ closeCode, reason: '' });
  } catch {
    // Then there is nothing to close.
  }
}

/** Frames on a stream in both directions. */
class Stream implements Channel {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #splitter = new Splitter();
  readonly #codec: Codec;
  #frames: GatewayFrame[] = [];
  #givenUp: (() => void) | undefined;
  /** Whether our half is over. */
  #ended = false;

  constructor(stream: WebTransportBidirectionalStream, codec: Codec) {
    this.#writer = stream.writable.getWriter();
    this.#reader = stream.readable.getReader();
    this.#codec = codec;
  }

  /** The next frame; none when the gateway has said all. */
  async next(): Promise<GatewayFrame | undefined> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame) return frame;
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      for (const bytes of this.#splitter.push(value)) this.#decode(bytes);
    }
  }

  #decode(bytes: Uint8Array): void {
    try {
      this.#frames.push(this.#codec.decodeFrame(bytes));
    } catch {
      // A later gateway may say what this client cannot read.
    }
  }

  /** Hands on each frame, to the end of the stream. An end that is none, a reset or a loss, is thrown. */
  async each(heard: (frame: GatewayFrame) => void): Promise<void> {
    for (let frame = await this.next(); frame; frame = await this.next()) heard(frame);
  }

  say(frame: ClientFrame): void {
    this.write(this.#codec.encodeFrame(frame));
  }

  write(encoded: Uint8Array<ArrayBuffer> | string): void {
    const bytes = typeof encoded === 'string' ? utf8.encode(encoded) : encoded;
    // What cannot be written is dealt with where the loss of the transport is heard.
    this.#writer.write(framed(bytes)).catch(() => {});
  }

  /** Ends our half. */
  end(): Promise<void> {
    this.#ended = true;
    return this.#writer.close().catch(() => {});
  }

  async finish(frame: ClientFrame): Promise<boolean> {
    this.say(frame);
    this.#givenUp = undefined;
    this.#ended = true;
    try {
      await this.#writer.close();
      // The gateway ends its half when it has the answer.
      await this.each(() => {});
      return true;
    } catch {
      return false;
    }
  }

  onGivenUp(listener: () => void): void {
    this.#givenUp = listener;
  }

  /** Tells that the gateway has reset the stream. */
  wasReset(): void {
    this.#givenUp?.();
  }

  /** Gives the operation up. */
  cancel(): void {
    this.#reader.cancel().catch(() => {});
    // A half that ends already is left to do so.
    if (!this.#ended) this.#writer.abort().catch(() => {});
  }
}

class WebTransportWire implements Wire {
  readonly transport = 'webtransport';
  readonly congested = false;
  readonly #session: WebTransport;
  readonly #control: Stream;
  readonly #codec: Codec;
  /** Operations with a stream of their own; none while it is being opened. */
  readonly #streams = new Map<number, Stream | undefined>();
  /** All streams that are open, or did not end in order. */
  readonly #held = new Set<Stream>();
  #listener: Listener | undefined;
  #open = true;

  constructor(session: WebTransport, control: Stream, codec: Codec) {
    this.#session = session;
    this.#control = control;
    this.#codec = codec;
  }

  async hello(frame: Hello): Promise<WelcomeFrame> {
    this.#control.say(frame);
    const welcome = await this.#control.next().catch((error) => this.#refused(error));
    if (!welcome) throw new ConnectError('WebTransport: closed before `welcome`');
    return welcomeOf(welcome);
  }

  /** Why there is no welcome: a platform may tell the end of the session before what was said last. */
  async #refused(error: Error): Promise<never> {
    const unknown = new ConnectError(`WebTransport: ${error.message}`, { cause: error });
    const closed = await within(FAREWELL_MS, this.#session.closed, () => unknown).catch(() => undefined);
    throw (closed && problemOfClose(closed.closeCode ?? 0, closed.reason ?? '')) ?? unknown;
  }

  listen(listener: Listener): void {
    this.#listener = listener;
    const heard = (frame: GatewayFrame) => listener.heard(frame, this.#controlChannel);
    const lost = () => this.#lost();
    this.#control.each(heard).then(lost, lost);
    this.#session.closed.then(lost, lost);
    this.#invocations().then(lost, lost);
    // A platform may have no datagrams, or end them early.
    this.#datagrams(heard).catch(() => {});
  }

  readonly #controlChannel: Channel = {
    say: (frame) => this.say(frame),
    finish: async (frame) => {
      this.say(frame);
      return false;
    },
  };

  #lost(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listener?.lost();
  }

  /** Answers the calls that the gateway asks on streams of its own. */
  async #invocations(): Promise<void> {
    const reader = this.#session.incomingBidirectionalStreams.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.#invocation(this.#opened(value)).catch(() => {});
    }
  }

  async #invocation(stream: Stream): Promise<void> {
    const frame = await stream.next();
    if (!frame) return;
    this.#listener?.heard(frame, stream);
    // Until it is answered nothing more comes but a reset, unless the whole session is lost.
    const over = stream.each(() => {}).then(() => this.#held.delete(stream));
    over.catch(({ source }) => this.#open && source !== 'session' && stream.wasReset());
  }

  async #datagrams(heard: (frame: GatewayFrame) => void): Promise<void> {
    const reader = this.#session.datagrams.readable.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      heard(this.#codec.decodeFrame(value));
    }
  }

  send(operation: Operation): void {
    // Publishes stay in their order, so they share the control stream.
    if (operation.frame.type === 'publish') return this.#control.write(operation.encoded);
    this.#streams.set(operation.id, undefined);
    this.#converse(operation)
      .catch(() => {})
      .finally(() => this.#streams.delete(operation.id));
  }

  /** Says a request on a stream of its own, and hears what is answered there. */
  async #converse({ id, encoded }: Operation): Promise<void> {
    const stream = this.#opened(await this.#session.createBidirectionalStream());
    if (!this.#streams.has(id)) return stream.cancel();
    this.#streams.set(id, stream);
    stream.write(encoded);
    stream.end();
    await stream.each((frame) => this.#listener?.heard(frame, this.#controlChannel));
    this.#held.delete(stream);
  }

  #opened(opened: WebTransportBidirectionalStream): Stream {
    const stream = new Stream(opened, this.#codec);
    this.#held.add(stream);
    return stream;
  }

  giveUp(ending: Ending): void {
    if (this.#streams.has(ending.id) && !this.#streams.get(ending.id)) {
      // It is not said yet.
      this.#streams.delete(ending.id);
      return;
    }
    // The frame may overtake the request, and not every platform tells the gateway of a stream that is given up.
    const stream = this.#streams.get(ending.id);
    if (stream) {
      stream.cancel();
      keep(stream);
      this.#held.delete(stream);
    }
    this.say(ending);
  }

  say(frame: ClientFrame): void {
    if (this.#open) this.#control.say(frame);
  }

  async close(): Promise<void> {
    this.#open = false;
    keep(this);
    // The end of the control stream is the end of the session.
    this.#control.end();
    await settled(FAREWELL_MS, this.#session.closed);
    leave(this.#session);
  }

  abandon(): void {
    this.#open = false;
    keep(this);
    // No code that means the end: the session may go on elsewhere.
    leave(this.#session, 4000);
  }
}
