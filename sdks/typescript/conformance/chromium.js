// Runs cases in a page of Chromium.
import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { isFor } from './applies.js';

const here = fileURLToPath(new URL('..', import.meta.url));
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PAGE = `<!doctype html><title>conformance</title>
<script type="importmap">{"imports": {"eventsource-parser": "/node_modules/eventsource-parser/dist/index.js"}}</script>
<script type="module" src="/conformance/page.js"></script>`;

/** Serves the package to the browser. */
async function pages() {
  const server = http.createServer(async (request, response) => {
    const file = path.join(here, path.normalize(decodeURI(request.url)));
    const body = request.url === '/' ? PAGE : await fs.readFile(file).catch(() => undefined);
    const type = request.url === '/' ? 'text/html' : 'text/javascript';
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type }).end(body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** What a page may be given for one case when the browser itself crashes. */
const PAGES = 10;

/**
 * Runs each case in a page of its own, a few at a time. Chromium's renderer crashes now and then after it has lost
 * WebTransport sessions (seen with 156, with forced garbage collection at once): that says nothing of the case, which then
 * gets another page, and it is told.
 */
export async function inChromium(transport, { cases, control, jobs }, spki, tell) {
  const served = await pages();
  const args = [...FLAGS, `--ignore-certificate-errors-spki-list=${spki}`];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
  const left = cases.filter((found) => isFor(found, transport));
  const job = async () => {
    for (let found = left.shift(); found; found = left.shift())
      await inPages(browser, served.url, transport, found, control, tell);
  };
  try {
    await Promise.all(Array.from({ length: jobs }, job));
  } finally {
    await browser.close();
    served.close();
  }
}

async function inPages(browser, url, transport, found, control, tell) {
  for (let page = 1; ; page += 1) {
    try {
      return await inPage(browser, url, transport, found, control, tell);
    } catch (error) {
      const crashed = String(error).includes('Target crashed');
      if (!crashed || page === PAGES) {
        return tell({ case: found.number, name: found.name, transport, passed: false, error: String(error) });
      }
      console.log(`       the browser crashed in case ${found.number}: it gets another page`);
    }
  }
}

async function inPage(browser, url, transport, found, control, tell) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.on('pageerror', (error) => console.log(`       the page: ${error.stack}`));
    await page.exposeFunction('tell', tell);
    await page.goto(url);
    await page.waitForFunction(() => 'runAll' in window);
    await page.evaluate(
      ([cases, given]) => window.runAll(cases, given, window.tell),
      [[found], { control, transport, options: {}, jobs: 1 }],
    );
  } finally {
    await context.close();
  }
}
