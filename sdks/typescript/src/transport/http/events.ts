/** Streams of Server-Sent Events as frames of the gateway. */
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { decodePayload } from '../../codec/codec.js';
import { parseJson, restored } from '../../codec/json.js';
import type { Integers } from '../../codec/values.js';
import type { GatewayFrame } from '../../generated/types.js';

/** Reads the events of a body to its end, and hands on each. */
export async function eachEvent(
  body: ReadableStream<Uint8Array>,
  heard: (event: EventSourceMessage) => void,
): Promise<void> {
  const parser = createParser({ onEvent: heard });
  const text = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    parser.feed(text.decode(value, { stream: true }));
  }
}

/** What an event says of the operation with this number; none for what this version does not know. */
export function frameOf(id: number, { event, data }: EventSourceMessage, integers: Integers): GatewayFrame | undefined {
  // biome-ignore lint/suspicious/noExplicitAny: each event has the members that its name tells.
  const said = parseJson(data, integers) as any;
  switch (event) {
    case 'subscribed':
      return { type: 'subscribed', id, backlog: said.backlog, position: said.position };
    case 'message':
      return { type: 'event', id, event: { ...said, payload: payloadOf(said, integers) } };
    case 'gap':
      return { type: 'gap', id, missed: said.missed, reason: said.reason };
    case 'progress':
    case 'result':
      return { type: event, id, payload: payloadOf(said, integers) };
    case 'error':
      if (said.handler) said.handler.data = restored(said.handler.data);
      return { type: 'error', id, problem: said };
    default:
      return undefined;
  }
}

/** The value of a payload that stands in JSON: what JSON cannot say stands there as its bytes. */
function payloadOf(said: { payload: unknown; opaque?: boolean; content_type: string }, integers: Integers): unknown {
  const payload = restored(said.payload);
  return said.opaque && payload instanceof Uint8Array ? decodePayload(payload, said.content_type, integers) : payload;
}
