import { needQueueModule } from '../queue.tokens.js';
import { resolveStreamConsumer, type StreamConsumerOptions } from './stream-consumer.options.js';
import type { StreamMessage } from './stream-message.js';

/** A stream that a method reads, as it was written. */
export interface WrittenStreamConsumer {
  readonly stream: string;
  readonly options: StreamConsumerOptions;
}

const CONSUMERS = Symbol('roost:stream-consumers');

/**
 * Has the method called with each message of a Redis stream, at least once: a message is acknowledged when the method
 * resolves, and delivered again when it throws, when it takes too long or when its process dies. The name of the stream is
 * used as it is, without a prefix, so that producers in other languages say `XADD booking_emails * to ada@example.org`.
 * A producer that trims (`MAXLEN`) may trim what nobody has handled yet.
 * @throws InvalidOptionsError that names every problem.
 * @example
 * @StreamConsumer('booking_emails', { group: 'mailer', concurrency: 8, timeout: '30s' })
 * async send({ fields, signal }: StreamMessage) { await this.mail.send(fields.to, fields.text, { signal }); }
 */
export function StreamConsumer(stream: string, options: StreamConsumerOptions) {
  resolveStreamConsumer(stream, options);
  return <Method extends (message: StreamMessage<never>) => unknown>(
    target: object,
    _name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    needQueueModule(target);
    const method = descriptor.value!;
    const written: WrittenStreamConsumer = { stream, options };
    Reflect.defineMetadata(CONSUMERS, [...writtenStreamConsumersOf(method), written], method);
  };
}

/** The streams that a method reads. */
export function writtenStreamConsumersOf(method: object): readonly WrittenStreamConsumer[] {
  return (Reflect.getMetadata(CONSUMERS, method) ?? []) as readonly WrittenStreamConsumer[];
}
