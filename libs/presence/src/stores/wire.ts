import type { Device, DeviceUpdate, RoomDiff } from './presence.store.js';

/** Divides user from device, and node from meta; texts with it are refused. */
export const SEPARATOR = '\x1f';

/** A diff as stores publish and keep it. */
export interface WireDiff {
  readonly v: number;
  readonly j?: readonly string[];
  readonly l?: readonly string[];
  readonly u?: readonly (readonly [userId: string, deviceId: string, meta: unknown])[];
}

/** A diff from its text. */
export function diffOf({ v, j = [], l = [], u = [] }: WireDiff): RoomDiff {
  const updates = u.map(([userId, deviceId, meta]): DeviceUpdate => ({ userId, deviceId, meta }));
  return { version: v, joins: j, leaves: l, updates };
}

/** The field of a device. */
export function fieldOf({ userId, deviceId }: { readonly userId: string; readonly deviceId: string }): string {
  return userId + SEPARATOR + deviceId;
}

/** The field of a device as a node has it, in whichever incarnation. */
export function nodeFieldOf(device: Parameters<typeof fieldOf>[0], node: string): string {
  return fieldOf(device) + SEPARATOR + node.split('.')[0]!;
}

/** The device of such a field. */
export function deviceIn(field: string, meta: string): Device {
  const [userId = '', deviceId = ''] = field.split(SEPARATOR);
  return { userId, deviceId, meta: JSON.parse(meta) as unknown };
}
