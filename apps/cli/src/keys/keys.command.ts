import { InvalidOptionsError, show, type KeyDefinition } from '@roost/redis';
import type { Cli } from '../cli.js';
import { bytes, columns, lifetime } from '../format.js';
import { catalogue } from './catalogue.js';

export interface KeysFlags {
  readonly count: string;
  readonly json?: boolean;
}

/** Lists the kinds of keys of the product, with what so many of each would take. */
export function keys(flags: KeysFlags, { terminal, env }: Cli, listed = catalogue): number {
  if (!/^[1-9]\d{0,11}$/.test(flags.count)) {
    throw new InvalidOptionsError('roost keys', [
      `Expected \`--count\` to be a whole number from 1, got ${show(flags.count)}`,
    ]);
  }
  const count = Number(flags.count);
  const prefix = env.ROOST_KEY_PREFIX || 'roost';
  const rows = Object.entries(listed).flatMap(([lib, definitions]) =>
    definitions.map((definition) => rowOf(lib, definition, prefix)),
  );
  const total = rows.reduce((sum, row) => sum + row.estimatedBytes * count, 0);

  if (flags.json) {
    terminal.line(JSON.stringify({ count, totalBytes: total, keys: rows }));
    return 0;
  }
  const table = [
    ['key', 'lib', 'lives at most', 'value at most', 'one key', `${count} keys`],
    ...rows.map((row) => [
      row.key,
      row.lib,
      lifetime(row.ttlMs),
      bytes(row.maxBytes),
      bytes(row.estimatedBytes),
      bytes(row.estimatedBytes * count),
    ]),
    ['all', '', '', '', '', bytes(total)],
  ];
  for (const line of columns(table, [2, 3, 4, 5])) terminal.line(line);
  return 0;
}

function rowOf(lib: string, { template, ttlMs, maxBytes, estimatedBytes }: KeyDefinition, prefix: string) {
  return { key: `${prefix}:${template}`, lib, ttlMs, maxBytes, estimatedBytes: estimatedBytes + prefix.length + 1 };
}
