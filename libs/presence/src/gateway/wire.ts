/** One event, made into text at most once for however many sockets. */
export class Frame {
  #text: string | undefined;

  constructor(
    readonly event: string,
    readonly data: unknown,
  ) {}

  /** As `ws` sends it. */
  get text(): string {
    return (this.#text ??= JSON.stringify({ event: this.event, data: this.data }));
  }
}

/** A socket of whichever library. */
export interface Wire {
  /** Unique among all sockets of all processes. */
  readonly id: string;
  readonly address: string | undefined;
  /** Ms since the last sign of life. */
  readonly silentMs: number;
  /** What was sent and has not left this process yet. */
  readonly bufferedBytes: number;
  send(frame: Frame): void;
  /** Says goodbye: no event is handled any more. */
  close(code: number, reason: string): void;
  /** Ends it without a word. */
  terminate(): void;
  /** The socket has ended: nothing of it is listened to any more. */
  ended(): void;
  /** Asks for a sign of life; false when the last two were not answered. */
  ping(): boolean;
}

/** Codes with which a `ws` is closed: 4401 and 4403 are ours, the others those of RFC 6455. */
export const CLOSE = { unauthorized: 4401, policy: 1008, tryAgainLater: 1013 } as const;
