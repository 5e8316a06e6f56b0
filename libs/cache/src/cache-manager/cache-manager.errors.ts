import { RoostError } from '@roost/redis';

/** Thrown at boot when the installed Keyv does not work with cache-manager 7. */
export class UnsupportedKeyvError extends RoostError {
  static override readonly code: string = 'cache.unsupported-keyv';

  constructor(options?: { cause?: unknown }) {
    super(
      'The installed `keyv` does not keep what cache-manager 7 asks for, and nothing would ever be found. ' +
        'Install Keyv 5: npm install keyv@^5.6.0',
      options,
    );
  }
}
