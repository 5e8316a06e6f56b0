import type { Type } from '@nestjs/common';
import { InvalidOptionsError, show } from '@roost/redis';
import { resolveLimits, type Limit } from './limit.js';
import { ThrottleConfig } from '../throttle.config.js';
import { UnknownPolicyError } from '../throttle.errors.js';
import type { LimitOptions, PolicyRef } from '../throttle.options.js';

/** Turns what decorators and callers name into limits. */
export class RateLimitPolicies {
  readonly #known: Map<string, Limit>;
  readonly #namedAfter = new Map<string, Type>();
  readonly #written = new WeakMap<LimitOptions, readonly Limit[]>();

  constructor(private readonly config: ThrottleConfig) {
    this.#known = new Map([...config.policies.values()].flat().map((limit) => [limit.name, limit]));
  }

  /** Every limit of the module's options and of decorators. */
  get all(): Iterable<Limit> {
    return this.#known.values();
  }

  /**
   * The limits of a call to `RateLimiter`.
   * @throws UnknownPolicyError, or InvalidOptionsError for none, or a policy object that is wrong or has no name.
   */
  called(refs: PolicyRef | readonly PolicyRef[]): readonly Limit[] {
    if (typeof refs === 'string') return this.#configured(refs);
    if (!Array.isArray(refs)) return this.#object(refs as LimitOptions);
    if (refs.length === 0) throw new InvalidOptionsError('RateLimiter', ['Expected at least one policy']);
    const limits = refs.flatMap((ref: PolicyRef) =>
      typeof ref === 'string' ? this.#configured(ref) : this.#object(ref),
    );
    return [...new Map(limits.map((limit) => [limit.name, limit])).values()]; // a limit named twice counts once
  }

  /** The limits of a decorator at `place`, which names those written there. Pushes problems. */
  decorated(refs: readonly PolicyRef[], owner: Type, place: string, problems: string[]): readonly Limit[] {
    const inline = refs.filter((ref) => typeof ref !== 'string').length;
    const limits = refs.flatMap((ref, index) => {
      if (typeof ref !== 'string') {
        const name = ref?.name ?? (inline > 1 ? `${place}.${index}` : place);
        const written = resolveLimits(`@RateLimit on ${place}`, name, ref, this.config, problems);
        for (const limit of written) this.#learn(limit, ref?.name === undefined ? owner : undefined, place, problems);
        return written;
      }
      const configured = this.config.policies.get(ref);
      if (!configured)
        problems.push(`@RateLimit on ${place}: ${new UnknownPolicyError(ref, this.config.policies.keys()).message}`);
      return configured ?? [];
    });
    if (refs.length === 0) problems.push(`@RateLimit on ${place}: expected at least one policy`);
    if (new Set(limits.map(({ name }) => name)).size < limits.length) {
      problems.push(`@RateLimit on ${place}: expected each limit once`);
    }
    return limits;
  }

  /**
   * Remembers a limit written in place. Two that share a name share their counts: they must be the same limit, and must
   * not have got the name by accident, as two classes of one name would.
   */
  #learn(limit: Limit, owner: Type | undefined, place: string, problems: string[]): void {
    const known = this.#known.get(limit.name);
    if (owner && !this.#namedAfter.has(limit.name)) this.#namedAfter.set(limit.name, owner);
    if (known !== undefined && (!same(known, limit) || this.#namedAfter.get(limit.name) !== owner)) {
      problems.push(
        `@RateLimit on ${place}: another limit is called "${limit.name}"; give this one a \`name\` of its own`,
      );
    }
    this.#known.set(limit.name, known ?? limit);
  }

  #configured(name: string): readonly Limit[] {
    const limits = this.config.policies.get(name);
    if (!limits) throw new UnknownPolicyError(name, this.config.policies.keys());
    return limits;
  }

  #object(options: LimitOptions): readonly Limit[] {
    if (typeof options !== 'object' || options === null) {
      const problem = `Expected a policy, by name or as { name, limit, window, … }, got ${show(options)}`;
      throw new InvalidOptionsError('RateLimiter', [problem]);
    }
    const known = this.#written.get(options);
    if (known) return known;
    const problems: string[] = [];
    const limits = resolveLimits('Policy', options.name ?? '', options, this.config, problems);
    if (problems.length > 0) throw new InvalidOptionsError('RateLimiter', problems);
    this.#written.set(options, limits);
    return limits;
  }
}

function same(a: Limit, b: Limit): boolean {
  return a.algorithm === b.algorithm && a.key === b.key && spelled(a) === spelled(b);
}

function spelled({ quota, block, mode }: Limit): string {
  return JSON.stringify([quota, block, mode]);
}
