import { Injectable, type ExecutionContext, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';

type Class = ReturnType<ExecutionContext['getClass']>;

/**
 * Tells routes apart that the default key of @nestjs/throttler, the names of class and handler joined by dashes, mixes up:
 * two classes of one name, and names with dashes.
 */
@Injectable()
export class ThrottlerRoutes implements OnModuleInit {
  /** Classes by name; the first of each name is the one that keeps it. */
  readonly #byName = new Map<string, Map<Class, string>>();

  constructor(private readonly discovery: DiscoveryService) {}

  onModuleInit(): void {
    for (const wrapper of [...this.discovery.getControllers(), ...this.discovery.getProviders()]) {
      // Of a factory the metatype is the function.
      if (!wrapper.isNotMetatype) this.#add(wrapper.metatype as Class, wrapper.host?.name);
    }
  }

  /** What to add to the default key; undefined when it is unambiguous as it is. The same in every process of one code. */
  distinctionOf(context: ExecutionContext): readonly string[] | undefined {
    const [owner, handler] = [context.getClass(), context.getHandler().name];
    const namesakes = this.#byName.get(owner.name);
    // A class of a module that was loaded later.
    const module = namesakes?.get(owner) ?? this.#add(owner, undefined);
    const alone = (namesakes?.size ?? 1) === 1 && !owner.name.includes('-') && !handler.includes('-');
    return alone ? undefined : [module, owner.name, handler];
  }

  /** Where the class is: its module's name, numbered where that module or one of the same name has several of its name. */
  #add(owner: Class, module = ''): string {
    let namesakes = this.#byName.get(owner.name);
    if (!namesakes) this.#byName.set(owner.name, (namesakes = new Map()));
    const known = namesakes.get(owner);
    if (known !== undefined) return known;
    const taken = new Set(namesakes.values());
    let place = module;
    for (let i = 2; taken.has(place); i++) place = `${module}#${i}`;
    namesakes.set(owner, place);
    return place;
  }
}
