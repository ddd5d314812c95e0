// A page of another origin in Chromium: opens a session, publishes with fetch, reads with EventSource
// and a ticket, over HTTP/3. Prints one JSON document of what the page saw.
//
// node browser.mjs NODE_URL PAGE_URL SPKI_HASH SCREENSHOT
import { chromium } from 'playwright-core';

const [node, page_url, spki, screenshot] = process.argv.slice(2);
const { host } = new URL(node);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    `--ignore-certificate-errors-spki-list=${spki}`,
    `--origin-to-force-quic-on=${host}`,
  ],
});
try {
  const context = await browser.newContext();
  const page = await context.newPage();
  const errors = [];
  page.on('requestfailed', (request) => console.error(request.url(), request.failure()));
  page.on('pageerror', (error) => errors.push(String(error)));
  const protocols = new Set();
  const network = await context.newCDPSession(page);
  await network.send('Network.enable');
  network.on('Network.responseReceived', ({ response }) => {
    if (response.url.startsWith(node)) protocols.add(response.protocol);
  });
  await page.goto(page_url);
  await page.waitForFunction(() => document.querySelectorAll('#events li').length >= 3);
  const seen = await page.evaluate(() => ({
    events: [...document.querySelectorAll('#events li')].map((item) => item.textContent),
    status: document.querySelector('#status').textContent,
  }));
  await page.screenshot({ path: `${screenshot}-events.png` });

  const asked = [];
  const docs = await context.newPage();
  docs.on('request', (request) => asked.push(new URL(request.url()).host));
  await docs.goto(`${node}/docs/`);
  await docs.waitForSelector('.opblock-summary-path');
  const paths = await docs.$$eval('.opblock-summary-path', (all) =>
    all.map((one) => one.textContent.replaceAll('\u200b', '')));
  await docs.screenshot({ path: `${screenshot}-docs.png` });
  console.log(JSON.stringify({ ...seen, protocols: [...protocols], errors, paths, asked: [...new Set(asked)] }));
} finally {
  await browser.close();
}
