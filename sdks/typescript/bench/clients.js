// Publishes events at full speed and reads all of them, by this SDK or by NATS's, in a process of its own. Prints one
// line of JSON: `{client, events, seconds, lost, doubled, heap: [MiB at each tenth]}`.
//
// node --expose-gc clients.js macula|nats URL EVENTS
import { wsconnect } from '@nats-io/nats-core';
import { WebSocket } from 'ws';
import { Mesh } from '../dist/index.js';

globalThis.WebSocket ??= WebSocket;

const [client, url, count] = process.argv.slice(2);
const events = Number(count);
/** Publishes under way at a time, as far as the program goes; the SDK sends as many of them as the gateway takes. */
const UNDER_WAY = 1_024;
const TOPIC = 'bench.clock';

const seen = new Uint8Array(events);
let read = 0;
let doubled = 0;
const heap = [];

/** Notes one event; true when it was the last. */
function note({ n }) {
  if (seen[n]) doubled += 1;
  seen[n] = 1;
  read += 1;
  if (read % (events / 10) === 0) {
    globalThis.gc?.();
    heap.push(Math.round((process.memoryUsage().heapUsed / 2 ** 20) * 10) / 10);
  }
  return read >= events;
}

const makers = {
  async macula() {
    const options = { transports: ['websocket'] };
    const [publisher, reader] = await Promise.all([Mesh.connect(url, options), Mesh.connect(url, options)]);
    const subscription = reader.subscribe(TOPIC);
    await subscription.ready;
    return {
      async publish() {
        let before = [];
        for (let n = 0; n < events; ) {
          const batch = [];
          for (; batch.length < UNDER_WAY / 2 && n < events; n += 1) batch.push(publisher.publish(TOPIC, { n }));
          await Promise.all(before);
          before = batch;
        }
        await Promise.all(before);
      },
      async read() {
        for await (const { event } of subscription.deliveries()) if (!event || note(event.payload)) return;
      },
      end: () => Promise.all([publisher.close(), reader.close()]),
    };
  },
  async nats() {
    const [publisher, reader] = await Promise.all([wsconnect({ servers: url }), wsconnect({ servers: url })]);
    const subscription = reader.subscribe(TOPIC);
    await reader.flush();
    return {
      async publish() {
        for (let n = 0; n < events; n += 1) {
          publisher.publish(TOPIC, JSON.stringify({ n }));
          // Without a pause nothing is written before the end.
          if (n % UNDER_WAY === 0) await publisher.flush();
        }
        await publisher.flush();
      },
      async read() {
        for await (const message of subscription) if (note(message.json())) return;
      },
      end: () => Promise.all([publisher.close(), reader.close()]),
    };
  },
};

const { publish, read: reading, end } = await makers[client]();
const started = performance.now();
await Promise.all([publish(), reading()]);
const seconds = (performance.now() - started) / 1_000;
const lost = seen.filter((times) => times === 0).length;
console.log(JSON.stringify({ client, events, seconds, perSecond: Math.round(events / seconds), lost, doubled, heap }));
await end();
process.exit(lost + doubled > 0 ? 1 : 0);
