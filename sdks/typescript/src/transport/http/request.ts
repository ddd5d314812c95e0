/** Frames of a client as requests of the HTTP API. */
import type { Request } from '../../book.js';
import type { Codec } from '../../codec/codec.js';
import { OPERATIONS } from '../../generated/operations.js';

/** A request to make. */
export interface Asked {
  readonly method: string;
  /** The path, with its query. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
}

type Parts = {
  path?: Record<string, string>;
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string | undefined>;
  body?: Uint8Array<ArrayBuffer> | string;
};

/** A request of an operation of the API; members that are undefined are left out. */
export function ask(operation: keyof typeof OPERATIONS, parts: Parts = {}): Asked {
  const { method, path } = OPERATIONS[operation];
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parts.path?.[name] ?? ''));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parts.query ?? {})) if (value !== undefined) query.set(name, `${value}`);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(parts.headers ?? {})) if (value !== undefined) headers[name] = value;
  const { body } = parts;
  return { method, path: query.size > 0 ? `${filled}?${query}` : filled, headers, ...(body !== undefined && { body }) };
}

/** What a frame asks for, as a request. To serve there is none. */
export function requestOf(frame: Exclude<Request, { type: 'serve' }>, realm: string, codec: Codec): Asked {
  const accept = `${codec.mediaType}, */*;q=0.1`;
  switch (frame.type) {
    case 'call':
      return ask('call', {
        path: { realm, procedure: frame.procedure },
        query: { timeout_ms: frame.timeout_ms },
        headers: { ...application(frame, codec), accept: frame.progress ? 'text/event-stream' : accept },
        ...body(frame.payload, codec),
      });
    case 'publish':
      return ask('publish', {
        path: { realm, topic: frame.topic },
        headers: { ...application(frame, codec), accept: 'application/json' },
        ...body(frame.payload, codec),
      });
    case 'discover':
      return ask('discover', {
        path: { realm, pattern: frame.pattern },
        query: { kind: frame.kind, limit: frame.limit, cursor: frame.cursor },
        headers: { accept: 'application/json' },
      });
    case 'subscribe':
      return ask('subscribe', {
        path: { realm, pattern: frame.pattern },
        query: { replay: frame.replay, overflow: frame.overflow },
        headers: { accept: 'text/event-stream', 'last-event-id': frame.after },
      });
  }
}

type Sending = { payload?: unknown; headers?: Record<string, string>; idempotency_key?: string };

function application({ headers, payload, idempotency_key }: Sending, codec: Codec): Record<string, string | undefined> {
  const own = Object.entries(headers ?? {}).map(([name, value]) => [`macula-header-${name}`, value]);
  return {
    ...Object.fromEntries(own),
    'idempotency-key': idempotency_key,
    'content-type': payload === undefined ? undefined : codec.mediaType,
  };
}

function body(payload: unknown, codec: Codec): Pick<Parts, 'body'> {
  return payload === undefined ? {} : { body: codec.encode(payload) };
}
