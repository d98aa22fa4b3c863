/** Values that belong together, in a map by what they have in common. */

/** Adds the value at the end of its group, which it may begin. */
export function addTo<K, V>(groups: Map<K, V[]>, key: K, value: V): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}
