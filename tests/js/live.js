// A small client of `macula.v1` in JSON, as docs/LIVE.md has it: one control stream or one WebSocket,
// pings every half second, and a resume on the other transport when nothing comes back.
const PING_MS = 500;
const LOST_MS = 2000;

/** Frames on WebTransport's control stream, and the invocations on the gateway's streams. */
async function webtransport(url, hash, on) {
  const value = Uint8Array.from(hash.match(/../g), (pair) => parseInt(pair, 16));
  const session = new WebTransport(url, { serverCertificateHashes: [{ algorithm: 'sha-256', value }] });
  // How it ends is told below; nobody waits for this.
  session.closed.then((info) => on.end(info), (error) => on.end(error));
  await session.ready;
  const control = await session.createBidirectionalStream();
  const writer = control.writable.getWriter();
  read(control.readable, (frame) => on.frame(frame, send)).catch(() => {});
  const send = (frame) => writer.write(framed(frame));
  const streams = session.incomingBidirectionalStreams.getReader();
  (async () => {
    for (;;) {
      const { value: stream, done } = await streams.read();
      if (done) return;
      const answers = stream.writable.getWriter();
      const answer = async (frame) => {
        await answers.write(framed(frame));
        if (frame.type !== 'progress') await answers.close();
      };
      read(stream.readable, (frame) => on.frame(frame, answer)).catch(() => {});
    }
  })().catch(() => {});
  return { name: 'WebTransport', send, close: () => session.close() };
}

function websocket(url, on) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('https', 'wss'), 'macula.v1.json');
    const send = (frame) => socket.send(JSON.stringify(frame));
    socket.onopen = () => resolve({ name: 'WebSocket', send, close: () => socket.close(1000) });
    socket.onerror = reject;
    socket.onmessage = ({ data }) => on.frame(JSON.parse(data), send);
    socket.onclose = (close) => on.end(close);
  });
}

/** A frame after its length, a QUIC varint of four bytes. */
function framed(frame) {
  const text = new TextEncoder().encode(JSON.stringify(frame));
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, 0x80000000 + text.length);
  bytes.set(text, 4);
  return bytes;
}

async function read(readable, frame) {
  let held = new Uint8Array();
  for await (const chunk of readable) {
    held = Uint8Array.from([...held, ...chunk]);
    for (;;) {
      const size = held.length && 1 << (held[0] >> 6);
      if (!size || held.length < size) break;
      const length = held.slice(1, size).reduce((sum, byte) => sum * 256 + byte, held[0] & 0x3f);
      if (held.length < size + length) break;
      frame(JSON.parse(new TextDecoder().decode(held.slice(size, size + length))));
      held = held.slice(size + length);
    }
  }
}

/** A session that serves and subscribes, and goes on over WebSocket when WebTransport is lost. */
export async function live(node, hash, { services, patterns, status, event, gap, invoked }) {
  const url = `${node}/v1/connect`;
  const subscriptions = new Map();
  const served = new Map();
  let welcome, transport, heard, next = 1;

  async function connect(open) {
    const waiting = {};
    const welcomed = new Promise((resolve, reject) => Object.assign(waiting, { resolve, reject }));
    const mine = await open({
      end: (why) => waiting.reject(why),
      frame: (frame, answer) => {
        heard = performance.now();
        if (frame.type === 'welcome') waiting.resolve(frame);
        else if (frame.type === 'error') waiting.reject(new Error(JSON.stringify(frame)));
        else take(frame, answer);
      },
    });
    const hello = { type: 'hello' };
    if (welcome) {
      const positions = [...subscriptions].map(([id, last_event_id]) => ({ id, last_event_id }));
      hello.token = welcome.token;
      hello.resume = { session: welcome.session, subscriptions: positions, pending: [...served.keys()] };
    }
    mine.send(hello);
    const answer = await welcomed;
    welcome ??= answer;
    transport = mine;
    status(`${mine.name}${answer.resumed ? ', resumed' : ''}`);
  }

  async function take(frame, answer) {
    if (frame.type === 'subscribed') subscriptions.set(frame.id, frame.position);
    if (frame.type === 'gap') gap(frame);
    if (frame.type === 'event') {
      subscriptions.set(frame.id, frame.event.id);
      event(frame.event);
    }
    if (frame.type === 'invoke') {
      const payload = await served.get(frame.serve)(frame.payload);
      invoked(frame.procedure, frame.payload, payload);
      answer({ type: 'result', id: frame.id, payload });
    }
  }

  await connect((on) => webtransport(url, hash, on));
  for (const [procedure, handler] of Object.entries(services)) {
    served.set(next, handler);
    transport.send({ type: 'serve', id: next++, procedure });
  }
  for (const pattern of patterns) transport.send({ type: 'subscribe', id: next++, pattern });
  setInterval(async () => {
    if (performance.now() - heard < LOST_MS) {
      transport.send({ type: 'ping' });
    } else {
      heard = Infinity;
      status('lost');
      await connect((on) => websocket(url, on));
    }
  }, PING_MS);
}
