/** The same object with some members replaced; works for classes with private fields, which spreading loses. */
export function overriding<Target extends object>(target: Target, members: Partial<Target>): Target {
  return new Proxy(target, {
    get(_, name) {
      const own = name in members;
      const member: unknown = own ? Reflect.get(members, name) : Reflect.get(target, name, target);
      return !own && typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
