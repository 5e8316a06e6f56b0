import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { codeVectors, type OpenedCodeStore } from './conformance/code.vectors.js';
import { complianceVectors, type OpenedCompliantStore } from './conformance/compliance.vectors.js';
import type { OpenedSessionStore } from './conformance/session.bench.js';
import { rotationVectors } from './conformance/rotation.vectors.js';
import { sessionVectors } from './conformance/session.vectors.js';
import { valueVectors, type OpenedValueStore } from './conformance/value.vectors.js';
import type { Vector } from './conformance/vector.js';

export { passInRedis } from './conformance/redis-time.js';
export { codeVectors, complianceVectors, rotationVectors, sessionVectors, valueVectors };
export type { OpenedCodeStore, OpenedCompliantStore, OpenedSessionStore, OpenedValueStore, Vector };
export type { CompliantStore } from './conformance/compliance.vectors.js';

interface Closing {
  close(): void | Promise<void>;
}

/**
 * What a store for `express-session` or `@fastify/session` must do, ours or a stranger's. Its `clear` is called: give it a
 * Redis of its own. Without Jest, run {@link complianceVectors}.
 * @example
 * runSessionStoreCompliance('ours', () => ({ store: new OurStore(), close: () => undefined }));
 */
export function runSessionStoreCompliance(
  name: string,
  open: () => OpenedCompliantStore | Promise<OpenedCompliantStore>,
): void {
  describe(`session store of a middleware: ${name}`, () => {
    run(complianceVectors, open);
  });
}

/** What every `SessionStore` must do. */
export function describeSessionStore(name: string, open: () => OpenedSessionStore | Promise<OpenedSessionStore>): void {
  describe(`session store: ${name}`, () => {
    run([...sessionVectors, ...rotationVectors], open);
  });
}

/** What every `CodeStore` must do. */
export function describeCodeStore(name: string, open: () => OpenedCodeStore | Promise<OpenedCodeStore>): void {
  describe(`code store: ${name}`, () => {
    run(codeVectors, open);
  });
}

/** What every `ValueStore` must do. */
export function describeValueStore(name: string, open: () => OpenedValueStore | Promise<OpenedValueStore>): void {
  describe(`value store: ${name}`, () => {
    run(valueVectors, open);
  });
}

function run<Bench extends Closing>(vectors: readonly Vector<Bench>[], open: () => Bench | Promise<Bench>): void {
  let bench: Bench;
  beforeAll(async () => {
    bench = await open();
  });
  afterAll(() => bench?.close());

  it.each(vectors)('$name', ({ check }) => check(bench));
}
