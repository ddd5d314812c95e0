// Chromium that trusts the node's authority opens a WebTransport session without a hash of the certificate,
// in its developer mode; without that it takes publicly known authorities only. Prints what each says.
//
// node authority.mjs NODE_URL HOME_WITH_NSS_DATABASE
import { chromium } from 'playwright-core';

const [node, home] = process.argv.slice(2);

async function opened(...more) {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    env: { ...process.env, HOME: home },
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', ...more,
    ],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`${node}/healthz`);
    return await page.evaluate(async (url) => {
      const session = new WebTransport(url);
      session.closed.catch(() => {});
      return session.ready.then(() => 'open', (error) => error.message);
    }, `${node}/v1/connect`);
  } finally {
    await browser.close();
  }
}

console.log(JSON.stringify({
  ordinary: await opened(),
  developer: await opened('--webtransport-developer-mode'),
}));
