// A network in front of a node: forwards TCP and UDP of one port to it, until UDP is cut.
import dgram from 'node:dgram';
import net from 'node:net';

const HOST = '127.0.0.1';

export async function relay(port) {
  const sockets = new Set();
  const tcp = net.createServer((near) => {
    const far = net.connect(port, HOST);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise((done) => tcp.listen(0, HOST, done));
  const near = dgram.createSocket('udp4');
  await new Promise((done) => near.bind(tcp.address().port, HOST, done));
  const peers = new Map();
  let cut = false;
  near.on('message', (packet, from) => {
    if (cut) return;
    let far = peers.get(from.port);
    if (!far) {
      far = dgram.createSocket('udp4');
      far.on('message', (answer) => cut || near.send(answer, from.port, from.address));
      peers.set(from.port, far);
    }
    far.send(packet, port, HOST);
  });
  return {
    port: tcp.address().port,
    cutUdp: () => { cut = true; },
    close: () => {
      tcp.close();
      near.close();
      sockets.forEach((socket) => socket.destroy());
      peers.forEach((socket) => socket.close());
    },
  };
}
