import type { BackendMode, Duration } from '@roost/redis';
import type { PresenceGatewayOptions } from './gateway/gateway.options.js';

/** How {@link PresenceModule} knows who is here. */
export interface PresenceOptions {
  /** `auto`: Redis when configured, this process otherwise; `redis`: the boot fails without it. @default the connection's */
  readonly backend?: BackendMode;
  /** The connection of `RedisModule`. @default 'default' */
  readonly connection?: string;
  /** How long after the last sign of life of the last device a user is gone. @default '10s' */
  readonly goneAfter?: Duration;
  /** How long a process may give no sign of life before others tell that its users are gone. @default `goneAfter` */
  readonly lease?: Duration;
  /** How long typing lasts after the last keystroke. @default '3s' */
  readonly typing?: Duration;
  /** For how long it is remembered when a user was last seen. @default '30d' */
  readonly lastSeenFor?: Duration;
  /** How many changes of a room are kept for those who were cut off for a moment. @default 100 */
  readonly replay?: number;
  /** What {@link PresenceGateway} needs to know; without it there can be no gateway. */
  readonly gateway?: PresenceGatewayOptions;
}
