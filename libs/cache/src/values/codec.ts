/** How values become bytes and come back. */
export interface Codec<T = unknown> {
  /** 17 to 255, another one for each codec: it stands in what is stored. 1 to 16 are Roost's own. */
  readonly id: number;
  readonly name: string;
  /** Throws for what cannot be written: it is then returned and not stored. */
  encode(value: T): Buffer;
  /** Never revives functions or prototypes. Throws for bytes that are not its own. */
  decode(bytes: Buffer): T;
  /** Makes a value one that may be handed out again and again, as nobody can change it. @default each reader gets his own */
  share?(value: T): T;
}

export type CodecChoice = 'json' | 'v8' | Codec;
