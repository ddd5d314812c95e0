// A network in front of a gateway: forwards TCP and UDP of one port to it, until it is cut.
import dgram from 'node:dgram';
import net from 'node:net';

const HOST = '127.0.0.1';
const TRIES = 20;

/** Listens on one free port for TCP and UDP, and forwards to the same port of another address. */
export async function network(gateway) {
  const { tcp, udp } = await listen();
  const { port } = tcp.address();
  const pairs = new Set();
  const flows = new Map();
  const cut = { tcp: false, udp: false };

  tcp.on('connection', (near) => {
    if (cut.tcp) return near.resetAndDestroy();
    const far = net.connect(port, gateway);
    const pair = [near, far];
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  udp.on('message', (packet, from) => {
    if (cut.udp) return;
    const key = `${from.address}:${from.port}`;
    let flow = flows.get(key);
    if (!flow) {
      const socket = dgram.createSocket('udp4');
      flow = { socket, lost: false };
      socket.on('message', (answer) => {
        if (!cut.udp && !flow.lost) udp.send(answer, from.port, from.address);
      });
      socket.on('error', () => {});
      flows.set(key, flow);
    }
    if (!flow.lost) flow.socket.send(packet, port, gateway);
  });

  // A lost flow stays known, so that what its client still sends goes nowhere.
  const loseUdp = () => {
    for (const flow of flows.values()) flow.lost = true;
  };
  const loseTcp = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
  };
  return {
    port,
    cut(which) {
      if (which.udp) {
        cut.udp = true;
        loseUdp();
      }
      if (which.tcp) {
        cut.tcp = true;
        loseTcp();
      }
    },
    heal() {
      cut.tcp = false;
      cut.udp = false;
    },
    drop() {
      loseUdp();
      loseTcp();
    },
    close() {
      tcp.close();
      udp.close();
      for (const flow of flows.values()) flow.socket.close();
      loseTcp();
    },
  };
}

/** A port that is free for both. */
async function listen() {
  for (let tries = 1; ; tries += 1) {
    const tcp = net.createServer();
    await new Promise((done) => tcp.listen(0, HOST, done));
    const udp = dgram.createSocket('udp4');
    const bound = await new Promise((done) => {
      udp.once('error', () => done(false));
      udp.bind(tcp.address().port, HOST, () => done(true));
    });
    if (bound) {
      udp.removeAllListeners('error');
      udp.on('error', () => {});
      return { tcp, udp };
    }
    udp.close();
    tcp.close();
    if (tries === TRIES) throw new Error('no port is free for both TCP and UDP');
  }
}
