import type { Encoding } from './codec/codec.js';
import type { Integers } from './codec/values.js';
import { Invalid } from './errors.js';
import { checkName } from './names.js';

/** What a session may be on. `sse` is Server-Sent Events for subscriptions and a request for each call. */
export type TransportName = 'webtransport' | 'websocket' | 'sse';

/** What this package needs of a WebSocket: the platform's, or `ws` in Node 20. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** How to connect. Every option may be left out. */
export interface ConnectOptions {
  /** The token of a session; without one a session is opened in an open realm. */
  token?: string;
  /**
   * Gets a new token. It is asked once each time that the gateway no longer takes the old one; then a new session begins
   * with the same subscriptions and services.
   */
  renew?: () => string | Promise<string>;
  /** The realm of the session to open; `dev` unless said otherwise. */
  realm?: string;
  /** Who opens the session, as publishers and callers are named: 1–128 characters. */
  subject?: string;
  /** The transports to try, the preferred one first; all three unless said otherwise. */
  transports?: readonly TransportName[];
  /** How frames and payloads are written; `msgpack` unless said otherwise. */
  encoding?: Encoding;
  /** How integers beyond 2^53 are given: rounded to a `number`, the default, or as `bigint`. Both are always taken. */
  integers?: Integers;
  /** SHA-256 of certificates that WebTransport takes, in hexadecimal; whom the platform trusts unless said otherwise. */
  certificateHashes?: readonly string[];
  /** How long the gateway may say nothing, not even to a ping, until the transport counts as lost; 25,000 ms, at least 1,000. */
  patience?: number;
  /** How long `close()` waits for handlers at work, in ms; 5,000 unless said otherwise. */
  closeTimeout?: number;
  /** Gives connecting up. The session that it has opened is ended by `close()`. */
  signal?: AbortSignal;
  /** The WebSocket to use; the platform's unless said otherwise. Node 20 has none: give it that of the package `ws`. */
  WebSocket?: new (
    url: string,
    protocols?: string | string[],
  ) => WebSocketLike;
}

/** The options, checked. */
export interface Config {
  readonly origin: string;
  token: string | undefined;
  readonly renew: ConnectOptions['renew'];
  readonly realm: string;
  readonly subject: string | undefined;
  readonly transports: readonly TransportName[];
  readonly encoding: Encoding;
  readonly integers: Integers;
  readonly certificateHashes: readonly Uint8Array<ArrayBuffer>[];
  readonly patience: number;
  readonly closeTimeout: number;
  readonly WebSocket: ConnectOptions['WebSocket'];
}

export const TRANSPORTS: readonly TransportName[] = ['webtransport', 'websocket', 'sse'];
const PATIENCE_MS = 25_000;
const LEAST_PATIENCE_MS = 1_000;
const CLOSE_MS = 5_000;

export function checked(url: string, options: ConnectOptions): Config {
  const transports = options.transports ?? TRANSPORTS;
  for (const name of transports) {
    if (!TRANSPORTS.includes(name)) throw new Invalid(`expected one of ${TRANSPORTS.join(', ')}, found ${name}`);
  }
  if (transports.length === 0) throw new Invalid('expected a transport');
  return {
    origin: originOf(url),
    token: options.token,
    renew: options.renew,
    realm: checkName('realm', options.realm ?? 'dev'),
    subject: options.subject,
    transports,
    encoding: options.encoding ?? 'msgpack',
    integers: options.integers ?? 'number',
    certificateHashes: (options.certificateHashes ?? []).map(hashOf),
    patience: Math.max(options.patience ?? PATIENCE_MS, LEAST_PATIENCE_MS),
    closeTimeout: Math.max(options.closeTimeout ?? CLOSE_MS, 0),
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
  };
}

function originOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol === 'https:' && parsed.pathname === '/' && !parsed.search && !parsed.hash) return parsed.origin;
  throw new Invalid(`expected https://HOST[:PORT], found ${url}`);
}

function hashOf(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replaceAll(':', '');
  if (!/^[0-9a-f]{64}$/i.test(digits)) throw new Invalid(`expected a SHA-256 in hexadecimal, found ${text}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
