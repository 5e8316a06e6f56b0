/**
 * Writes into package-lock.json the platform packages that `npm install` left out.
 *
 * `npm install` drops an optional package that the registry at hand does not serve, and `npm ci` then refuses the lock
 * on every machine ("Missing: … from lock file"). Name, version, system and processor are known all the same: the parent
 * pins the version and the name holds the rest. Such an entry has no `integrity`; npm fills it in where the package is served.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const lockFile = new URL('../package-lock.json', import.meta.url);

/** `core-linux-x64-musl` → `{ os: ['linux'], cpu: ['x64'], libc: ['musl'] }`; undefined when the name tells no platform. */
function platformOf(name) {
  const match =
    /(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64)(?:-(\w+))?$/.exec(
      name,
    );
  if (!match) return undefined;
  const [, os, cpu, abi] = match;
  const libc = os !== 'linux' ? undefined : abi === 'musl' ? ['musl'] : abi === 'gnu' ? ['glibc'] : undefined;
  return { os: [os], cpu: [cpu], ...(libc && { libc }) };
}

const lock = JSON.parse(readFileSync(lockFile, 'utf8'));
const added = [];
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (lock.packages[path]) continue;
    const platform = platformOf(name);
    if (!platform || !/^\d+\.\d+\.\d+/.test(version)) {
      throw new Error(`Expected a pinned platform package, got "${name}@${version}". Add its lock entry by hand.`);
    }
    const { cpu, libc, os } = platform;
    lock.packages[path] = { version, cpu, ...(parent.dev && { dev: true }), ...(libc && { libc }), optional: true, os };
    added.push(`${name}@${version}`);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
if (added.length > 0) writeFileSync(lockFile, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added.length} platform packages added to package-lock.json\n`);
