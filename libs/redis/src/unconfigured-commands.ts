import { Commands } from './commands.js';
import { RedisNotConfiguredError } from './redis.errors.js';

/** Stands where no Redis is: features ask their `Backend` first, so only a mistake gets here. */
export class UnconfiguredCommands extends Commands {
  constructor(private readonly connection: string) {
    super();
  }

  read = <T>(): Promise<T> => this.#refuse();
  readBytes = <T>(): Promise<T> => this.#refuse();
  write = <T>(): Promise<T> => this.#refuse();
  pipeline = (): Promise<unknown[]> => this.#refuse();
  run = <T>(): Promise<T> => this.#refuse();

  #refuse(): Promise<never> {
    return Promise.reject(new RedisNotConfiguredError(this.connection));
  }
}
