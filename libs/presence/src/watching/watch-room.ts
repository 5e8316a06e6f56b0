import { isRedisUnavailable } from '@roost/redis';
import { Observable } from 'rxjs';
import type { PresenceStore } from '../stores/presence.store.js';
import { eventOf, type PresenceEvent } from './presence.event.js';
import type { RoomView } from './room-view.js';
import type { RoomViews } from './room-views.js';

/** All who are in a room, or what came after a version, and then every change. */
export function watchRoom(
  views: RoomViews,
  store: PresenceStore,
  room: string,
  since: number | undefined,
): Observable<PresenceEvent> {
  return new Observable((subscriber) => {
    const view = views.enter(room);
    let told = since ?? 0;
    const tell = (event: PresenceEvent) => {
      if (event.version <= told && event.since < event.version && !event.state) return; // replayed before it came here
      told = event.version;
      subscriber.next(event);
    };
    let waiting: PresenceEvent[] | undefined = [];
    const stop = view.onChange((event) => (waiting === undefined ? tell(event) : waiting.push(event)));
    const begin = async () => {
      await view.ready;
      const replayed = since === undefined ? undefined : await missed(view, store, since);
      if (replayed !== undefined) for (const event of [...replayed, ...waiting!]) tell(event);
      waiting = undefined;
      if (replayed === undefined) tell(view.state);
    };
    void begin().catch((error: unknown) => subscriber.error(error));
    const unend = views.onEnd(() => subscriber.complete());
    return () => {
      unend();
      stop();
      views.leave(view);
    };
  });
}

/** What came after a version, as events; undefined when that is not known any more. */
async function missed(view: RoomView, store: PresenceStore, since: number) {
  if (view.state.partial) return undefined;
  try {
    const diffs = await store.since(view.topic, since);
    return diffs?.map((diff) => eventOf(view.room, [diff.version - 1, diff.version], diff, false));
  } catch (error) {
    if (isRedisUnavailable(error)) return undefined;
    throw error;
  }
}
