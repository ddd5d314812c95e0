// Two tabs of the chat in Chromium: each says something, and a third that comes later sees all of it. Prints one JSON
// document of what the tabs show.
//
// node chat.mjs PAGE_URL SCREENSHOT
import { chromium } from 'playwright-core';

const [page_url, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

async function open(name) {
  const page = await browser.newPage({ viewport: { width: 720, height: 420 } });
  page.on('pageerror', (error) => console.error(String(error)));
  await page.goto(`${page_url}&name=${name}`);
  await page.waitForFunction(() => document.querySelector('#state').textContent.startsWith('connected'));
  return page;
}

async function say(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

const lines = (page, count) =>
  page
    .waitForFunction((wanted) => document.querySelectorAll('li').length >= wanted, count)
    .then(() => page.$$eval('li', (all) => all.map((one) => one.textContent.replace(/\d\d:\d\d:\d\d$/, ''))));

try {
  const [ann, bob] = [await open('ann'), await open('bob')];
  await say(ann, 'hello, is anybody here?');
  await lines(bob, 1);
  await say(bob, 'yes, from another tab');
  const both = [await lines(ann, 2), await lines(bob, 2)];
  const cem = await open('cem');
  const late = await lines(cem, 2);
  const state = await cem.textContent('#state');
  await ann.screenshot({ path: screenshot });
  console.log(JSON.stringify({ both, late, state }));
} finally {
  await browser.close();
}
