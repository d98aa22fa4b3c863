/** Finds a place in a sorted list by halving it. */

/** Index of the first item that does not come before what is looked for; all that do stand in front of it. */
export function placeOf<T>(items: readonly T[], comesBefore: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comesBefore(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
