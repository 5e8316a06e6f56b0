import type { MessageEvent } from '@nestjs/common';
import { interval, last, map, merge, share, takeUntil, type Observable } from 'rxjs';
import type { PresenceEvent } from './presence.event.js';

/** Proxies end a connection on which nothing comes for a minute or less. */
const PING_MS = 15_000;

/** Events for a browser's EventSource. */
export function serverSentEvents(events: Observable<PresenceEvent>): Observable<MessageEvent> {
  const told = events.pipe(
    map((event): MessageEvent => ({ type: 'presence', id: `${event.version}`, data: event })),
    share(),
  );
  const pings = interval(PING_MS).pipe(map((): MessageEvent => ({ comment: 'ping' })));
  return merge(told, pings.pipe(takeUntil(told.pipe(last(undefined, null)))));
}
