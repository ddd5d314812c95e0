/** A live session on a WebSocket (RFC 6455): every frame is one message. */
import type { Ending, Operation } from '../book.js';
import type { Codec } from '../codec/codec.js';
import { ConnectError, Invalid } from '../errors.js';
import type { ClientFrame, GatewayFrame, WelcomeFrame } from '../generated/types.js';
import type { Config, WebSocketLike } from '../options.js';
import { settled } from '../time.js';
import { welcomeOf } from './welcome.js';
import { type Channel, CONGESTED_BYTES, FAREWELL_MS, type Hello, type Listener, type Wire } from './wire.js';

/** Opens a WebSocket, as fast as the network lets it. */
export function openWebSocket(config: Config, codec: Codec, signal: AbortSignal): Promise<Wire> {
  return new Promise((resolve, reject) => {
    if (!config.WebSocket) throw new Invalid('expected a WebSocket: this platform has none, give one as an option');
    const url = `${config.origin.replace('https', 'wss')}/v1/connect`;
    const socket = new config.WebSocket(url, `macula.v1.${codec.encoding}`);
    // The platform's would give blobs; that of `ws` gives bytes, which costs less than an `ArrayBuffer`.
    if (socket.binaryType === 'blob') socket.binaryType = 'arraybuffer';
    const wire = new WebSocketWire(socket, codec);
    const giveUp = () => {
      wire.abandon();
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    socket.onopen = () => {
      signal.removeEventListener('abort', giveUp);
      resolve(wire);
    };
    wire.ended.then((why) => {
      signal.removeEventListener('abort', giveUp);
      reject(new ConnectError(`WebSocket: ${why}`));
    });
  });
}

/** What comes in a message. */
type Data = string | ArrayBuffer | Uint8Array;

/** The bytes, and not a `Buffer`: it has other methods of the same names. */
function plainBytes(data: ArrayBuffer | Uint8Array): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

class WebSocketWire implements Wire, Channel {
  readonly transport = 'websocket';
  /** Why it has ended. */
  readonly ended: Promise<string>;
  readonly #socket: WebSocketLike;
  readonly #codec: Codec;
  /** What came before somebody listened. */
  #early: GatewayFrame[] = [];
  #listener: Listener | undefined;
  #wakeUp = () => {};
  #open = true;

  constructor(socket: WebSocketLike, codec: Codec) {
    this.#socket = socket;
    this.#codec = codec;
    socket.onmessage = ({ data }: { data: Data }) => this.#take(data);
    this.ended = new Promise((resolve) => {
      let why = 'refused';
      socket.onerror = ({ message }: { message?: string }) => {
        why = message ?? why;
      };
      socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
        resolve(reason || (code === 1006 ? why : `closed with ${code}`));
        this.#end();
      };
    });
  }

  get congested(): boolean {
    return this.#socket.bufferedAmount > CONGESTED_BYTES;
  }

  #take(data: Data): void {
    let frame: GatewayFrame;
    try {
      frame = this.#codec.decodeFrame(typeof data === 'string' ? data : plainBytes(data));
    } catch {
      // A later gateway may say what this client cannot read.
      return;
    }
    if (this.#listener) return this.#listener.heard(frame, this);
    this.#early.push(frame);
    this.#wakeUp();
  }

  async hello(frame: Hello): Promise<WelcomeFrame> {
    this.say(frame);
    const first = new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
    });
    const closed = this.ended.then((why) => {
      if (this.#early.length === 0) throw new ConnectError(`WebSocket: ${why}`);
    });
    await Promise.race([first, closed]);
    return welcomeOf(this.#early.shift() as GatewayFrame);
  }

  listen(listener: Listener): void {
    this.#listener = listener;
    for (const frame of this.#early) listener.heard(frame, this);
    this.#early = [];
    if (!this.#open) listener.lost();
  }

  #end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listener?.lost();
  }

  send({ encoded }: Operation): void {
    if (this.#open) this.#socket.send(encoded);
  }

  giveUp(ending: Ending): void {
    this.say(ending);
  }

  say(frame: ClientFrame): void {
    if (this.#open) this.#socket.send(this.#codec.encodeFrame(frame));
  }

  async finish(frame: ClientFrame): Promise<boolean> {
    this.say(frame);
    return false;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#socket.close(1000);
    await settled(FAREWELL_MS, this.ended);
  }

  abandon(): void {
    this.#open = false;
    // No code that means the end: the session may go on elsewhere.
    this.#socket.close(4000);
  }
}
