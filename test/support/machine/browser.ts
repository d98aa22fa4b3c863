/** A real Chromium without a window, for tests of pages. */
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { onTestFinished } from 'vitest';

import { eventually } from '../hubs/api.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** For the start, and for each step of a page: the library's own half a minute is short for a machine that is busy. */
const STEP_MS_MAX = 240_000;

/** Starts the browser; who starts it closes it. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: FLAGS, timeout: STEP_MS_MAX });
}

/** Starts the browser; it ends with the test. */
export async function openBrowser(executablePath: string): Promise<Browser> {
  const browser = await launchBrowser(executablePath);
  onTestFinished(() => browser.close());
  return browser;
}

/** What a browser of its own would be: cookies, storage and network apart from others. */
export async function openContext(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  return patient(await browser.newContext(options));
}

/** A page in a context of its own. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<Page> {
  return (await openContext(browser, options)).newPage();
}

function patient(context: BrowserContext): BrowserContext {
  context.setDefaultTimeout(STEP_MS_MAX);
  return context;
}

/** A page of a browser that keeps what it has in `profile`; it ends with the test. */
export async function openPageOn(executablePath: string, profile: string): Promise<Page> {
  const how = { executablePath, args: FLAGS, timeout: STEP_MS_MAX };
  const context = patient(await chromium.launchPersistentContext(profile, how));
  onTestFinished(() => context.close());
  return context.pages()[0] ?? context.newPage();
}

/** Waits for an element that says this. */
export async function reads(page: Page, selector: string, wanted: string | RegExp): Promise<void> {
  const found = page.locator(selector).filter({ hasText: wanted }).first();
  await found.waitFor({ state: 'attached' });
}

/** Waits for a field to have this value; functions of the page are closed to us by its policy. */
export async function holds(page: Page, selector: string, wanted: string): Promise<void> {
  await eventually(
    () => page.inputValue(selector),
    (value) => value === wanted,
  );
}

/**
 * Contrast ratio of WCAG 2.2 between the text and the nearest painted ground behind it. Source text, because
 * it runs in the browser, whose types are not ours.
 */
const CONTRAST = `(selector) => {
  const luminance = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => Number(part) / 255);
    const [red, green, blue] = parts.map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const start = document.querySelector(selector);
  let ground = start;
  while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
  const a = luminance(getComputedStyle(start).color);
  const b = luminance(getComputedStyle(ground).backgroundColor);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}`;

export function contrast(page: Page, selector: string): Promise<number> {
  return page.evaluate(`(${CONTRAST})(${JSON.stringify(selector)})`);
}
