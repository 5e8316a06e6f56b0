/**
 * Makes sure that the servers and tools the tests need are on PATH, or where Debian keeps them.
 * As root on Debian or Ubuntu what is missing gets installed; elsewhere one message names the packages.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const needed = [
  { command: 'redis-server', debianPackage: 'redis-server' },
  { command: 'openssl', debianPackage: 'openssl' },
  { command: 'postgres', debianPackage: 'postgresql', versionsIn: '/usr/lib/postgresql' },
  { command: 'chromium', debianPackage: 'chromium' },
];

/** Asked by Debian's package scripts before they start a service; 101 forbids it. */
const servicePolicy = '/usr/sbin/policy-rc.d';

const missing = needed.filter((tool) => !isThere(tool));
if (missing.length > 0) {
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))];
  const failure = canInstall() ? install(packages) : 'this is not root on a system with apt-get';
  const still = missing.filter((tool) => !isThere(tool)).map(({ command }) => command);
  if (still.length > 0) {
    console.error(
      `The tests need ${still.join(' and ')}, not found, and could not install ${packages.join(' ')}: ` +
        `${failure ?? 'the packages lack them'}.\nInstall by hand, on Debian or Ubuntu: ` +
        `sudo apt-get install ${packages.join(' ')}`,
    );
    process.exit(1);
  }
}

function isThere({ command, versionsIn }) {
  if (isOnPath(command)) return true;
  if (versionsIn === undefined || !existsSync(versionsIn)) return false;
  return readdirSync(versionsIn).some((version) => existsSync(join(versionsIn, version, 'bin', command)));
}

function isOnPath(command) {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK);
      return dir !== '';
    } catch {
      return false;
    }
  });
}

function canInstall() {
  return process.getuid?.() === 0 && isOnPath('apt-get');
}

/** @returns what failed, if anything. */
function install(packages) {
  console.error(`Installing ${packages.join(' ')} for the tests …`);
  apt('update'); // an unreachable third-party source must not matter when the packages are known anyway
  const ownPolicy = !existsSync(servicePolicy);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => {}); // ends apt-get, not the tidying below
  if (ownPolicy) writeFileSync(servicePolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return apt('install', '-y', '--no-install-recommends', ...packages) ? undefined : 'apt-get failed';
  } finally {
    if (ownPolicy) rmSync(servicePolicy);
  }
}

function apt(...args) {
  const { status } = spawnSync('apt-get', ['-q', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
}
