/** What a client is told of a room. */
export interface PresenceEvent {
  readonly room: string;
  readonly state?: true;
  readonly since: number;
  readonly version: number;
  /** Redis is away, and this is what the instance knows by itself. */
  readonly partial?: true;
  readonly joins: readonly { readonly userId: string }[];
  readonly leaves: readonly { readonly userId: string }[];
}

/** A room as one client knows it, and whatever it was told against the rules. */
export class View {
  readonly users = new Set<string>();
  /** Whether the instance speaks of its own devices alone. */
  partial = false;
  #version: number | undefined;

  constructor(
    private readonly onTold: (
      kind: 'join' | 'leave',
      told: { userId: string; version: number; partial: boolean },
    ) => void,
    private readonly onOdd: (message: string) => void,
  ) {}

  get sorted(): string[] {
    return [...this.users].sort();
  }

  take({ room, state, since, version, partial, joins, leaves }: PresenceEvent): void {
    const was = this.#version;
    this.#version = version;
    this.partial = partial === true;
    if (state) {
      this.users.clear();
      for (const { userId } of joins) this.users.add(userId);
      return;
    }
    if (was === undefined) return this.onOdd(`${room}: a change before all who are there`);
    if (since !== was) this.onOdd(`${room}: told what changed since ${since}, and knew ${was}`);
    for (const { userId } of joins) {
      if (this.users.has(userId)) this.onOdd(`${room}: ${userId} came twice`);
      this.users.add(userId);
      this.onTold('join', { userId, version, partial: this.partial });
    }
    for (const { userId } of leaves) {
      if (!this.users.delete(userId)) this.onOdd(`${room}: ${userId} went twice`);
      this.onTold('leave', { userId, version, partial: this.partial });
    }
  }
}
