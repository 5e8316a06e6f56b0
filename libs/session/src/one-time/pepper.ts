import { createHmac, randomBytes } from 'node:crypto';

/** What everybody knows who has this code: hides nothing, and lets processes without a pepper agree. */
const OPEN_PEPPER = 'roost, without a pepper';

/** Hashes what is too short to be hashed without a secret: a million codes are tried in a second. */
export class Pepper {
  readonly #key: string | Buffer;

  private constructor(key: string | Buffer) {
    this.#key = key;
  }

  static of(secret: string): Pepper {
    return new Pepper(secret);
  }

  /** For codes that do not leave this process. */
  static random(): Pepper {
    return new Pepper(randomBytes(32));
  }

  /** For development: whoever reads Redis can find the codes out. */
  static open(): Pepper {
    return new Pepper(OPEN_PEPPER);
  }

  /** 43 characters; the parts cannot be told apart in another way. */
  hash(...parts: readonly string[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64url');
  }
}
