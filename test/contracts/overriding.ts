/** The same object with some members replaced; works for classes with private fields, which spreading loses. */
export function overriding<Target extends object>(target: Target, members: Partial<Target>): Target {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name);
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      // No bound function: V8 13.6 refuses those as disposers in `await using`.
      return (...args: unknown[]): unknown => Reflect.apply(member, target, args);
    },
  });
}
