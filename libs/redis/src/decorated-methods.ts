import type { DiscoveryService, MetadataScanner } from '@nestjs/core';

/** A method of something that Nest makes. */
export interface DecoratedMethod {
  /** `Class.method`, for messages. */
  readonly at: string;
  readonly method: object;
  /** Whether Nest makes it once for the whole application. */
  readonly single: boolean;
  /** Calls it on that one instance. */
  readonly call: (...args: unknown[]) => unknown;
}

/** Every method of every provider and controller of the application, inherited ones included. */
export function* methodsOf(discovery: DiscoveryService, scanner: MetadataScanner): Generator<DecoratedMethod> {
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    if (wrapper.isAlias) continue;
    const instance = wrapper.instance as Record<string, (...args: unknown[]) => unknown> | null | undefined;
    const prototype = (
      wrapper.isNotMetatype ? instance && Object.getPrototypeOf(instance) : wrapper.metatype?.prototype
    ) as object | null | undefined;
    if (prototype === null || prototype === undefined) continue;
    const single = !wrapper.isTransient && wrapper.isDependencyTreeStatic();
    for (const name of scanner.getAllMethodNames(prototype)) {
      const at = `${prototype.constructor.name}.${name}`;
      const method = (prototype as Record<string, object>)[name]!;
      yield { at, method, single, call: (...args) => instance![name]!(...args) };
    }
  }
}

/** The wrapper as decorators, already applied or yet to come, and frameworks see the method it stands for. */
export function resembling<Method extends (...args: never[]) => unknown>(original: Method, wrapper: Method): Method {
  for (const name of ['name', 'length'] as const) {
    Object.defineProperty(wrapper, name, { value: original[name], configurable: true });
  }
  for (const key of Reflect.getMetadataKeys(original) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), wrapper);
  }
  return wrapper;
}
