import { Injectable } from '@nestjs/common';

/** The time of this process; tests put a hand-driven one in its place. */
@Injectable()
export class Clock {
  /** Milliseconds since 1970. */
  now(): number {
    return Date.now();
  }
}
