import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
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

function findChromium(path = process.env['PATH'] ?? ''): string {
  const dirs = path.split(delimiter).filter((dir) => dir !== '');
  const found = dirs.flatMap((dir) => NAMES.map((name) => join(dir, name))).find(isExecutable);
  if (found !== undefined) return found;
  throw new Error('Chromium not found on PATH. Install it: apt-get install chromium');
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
