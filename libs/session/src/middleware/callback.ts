/** A callback in the manner of Node. */
export type Callback<Value = unknown> = (error?: unknown, value?: Value) => void;

/**
 * Calls back once, and outside of every promise: what a callback throws is its own, neither a reason to call it again nor
 * a rejection that nobody handles.
 */
export function settle<Value>(promise: Promise<Value>, reply: Callback<Value> = () => undefined): void {
  promise.then(
    (value) => setImmediate(() => reply(null, value)),
    (error: unknown) => setImmediate(() => reply(error)),
  );
}
