import type { Item } from './contestants/cache-items.js';
import type { OnlineUsers } from './heartbeats.js';
import type { HandledJobs, JobSink } from './jobs.js';

/** One side of a comparison, opened in a child process of its own. */
export interface Opened {
  /** One operation; resolves to whether the answer was the right one. Left out by what is driven over HTTP. */
  operate?(index: number): Promise<boolean>;
  /** Of a lock: resolves once it is held, to what gives it back. */
  acquire?(key: string): Promise<() => Promise<unknown>>;
  /** Of a cache: the value of a key, by the loader when there is none. */
  load?(key: string, load: () => Promise<Item>): Promise<Item>;
  /** Of a queue: what adds jobs, and what this process has handled. */
  readonly jobs?: JobSink;
  readonly handled?: HandledJobs;
  /** Of presence: who is online. */
  readonly online?: OnlineUsers;
  /** Where it listens, when it is driven over HTTP. */
  readonly port?: number;
  /** How many requests it has let in since it was opened. */
  admitted?(): number;
  /** What its own server has used so far, where that is not Redis. */
  serverCpuUs?(): number;
  /** What is wrong with it, looked for before anything is measured. */
  verify?(): Promise<string | undefined>;
  close(): Promise<void> | void;
}

/** What a contestant is opened for. */
export interface Task {
  readonly redisUrl: string;
  /** Where a run has PostgreSQL. */
  readonly postgresUrl?: string | undefined;
  /** What to do; each family of contestants has its own words. */
  readonly work: string;
  /** Whether it is only to show that it works: then little is laid out before. */
  readonly brief: boolean;
}

export type Contestant = (task: Task) => Promise<Opened>;

/** How many different keys the uniform loads go round. */
export const MANY_KEYS = 10_000;
/** A limit that no load reaches, per hour. */
export const UNREACHABLE = 1_000_000_000;
/** A limit that every attack reaches, per hour. */
export const STRICT = 10;
/** How many clients attack. */
export const ATTACKERS = 20;
