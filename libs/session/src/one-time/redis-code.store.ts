import type { Commands } from '@roost/redis';
import type { CodeLimits } from '../session.config.js';
import { codeKeysOf } from '../session.keys.js';
import { CodeStore, type CodeIssue, type CodeSubject, type CodeTry } from './code.store.js';
import { issueCode, tryCode } from './codes.lua.js';

/** Keeps hashes of codes in Redis, by Redis' clock. */
export class RedisCodeStore extends CodeStore {
  readonly name = 'redis';

  constructor(private readonly commands: Commands) {
    super();
  }

  issue({ subject, purpose }: CodeSubject, hash: string, limits: CodeLimits): Promise<CodeIssue> {
    return this.commands.run(issueCode, codeKeysOf(subject, purpose), { hash, ...limits });
  }

  try({ subject, purpose }: CodeSubject, hash: string, limits: CodeLimits): Promise<CodeTry> {
    return this.commands.run(tryCode, codeKeysOf(subject, purpose), { hash, ...limits });
  }
}
