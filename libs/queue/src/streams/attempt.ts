import { check } from '../jobs/standard-schema.js';
import { inTime } from '../workers/in-time.js';
import type { ResolvedStreamConsumer } from './stream-consumer.options.js';
import { Delivery, fieldsOf } from './stream-message.js';
import type { HeldMessage } from './held-message.js';

/** What a message that the schema refuses ends with; nobody tries it again. */
export class Refusal extends Error {}

/**
 * Hands a message to its handler. Rejects with what the handler threw, with a {@link Refusal} of the schema, or when the
 * time is up; what a handler says after that is nobody's any more.
 */
export async function attempt(
  message: HeldMessage,
  { stream, schema, timeoutMs }: Pick<ResolvedStreamConsumer, 'stream' | 'schema' | 'timeoutMs'>,
  handle: (delivery: Delivery) => Promise<unknown>,
): Promise<void> {
  const fields = fieldsOf(message.raw);
  let data: unknown = fields;
  if (schema !== undefined) {
    const checked = await check(schema, fields);
    if ('problems' in checked) throw new Refusal(`refused by the schema: ${checked.problems.join('; ')}`);
    data = checked.value;
  }
  const delivery = new Delivery(message.id, stream, fields, data, message.deliveries);
  message.delivery = delivery;
  await inTime(
    timeoutMs,
    (reason) => delivery.abort(reason),
    () => handle(delivery),
  );
}
