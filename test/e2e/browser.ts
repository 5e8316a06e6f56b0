import { findProgram } from '@roost/testing';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Starts the Chromium of this system without a window; it asks nothing of the network but the pages it is sent to. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    chromiumSandbox: process.getuid?.() !== 0, // it refuses to run as root in a sandbox
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

function findChromium(): string {
  const found = findProgram(NAMES);
  if (found !== undefined) return found;
  throw new Error('Chromium not found on PATH. Install it: apt-get install chromium');
}
