/**
 * Who is served next: devices in turn, and of each device its items in turn. So one that asks for much waits for itself, and
 * not the others for it.
 */
export class Turns<Item extends { readonly device: string }> {
  /** In the order of their turns. */
  readonly #itemsByDevice = new Map<string, Set<Item>>();

  get isEmpty(): boolean {
    return this.#itemsByDevice.size === 0;
  }

  /** Nothing changes where it waits already. */
  add(item: Item): void {
    const items = this.#itemsByDevice.get(item.device);
    if (items === undefined) this.#itemsByDevice.set(item.device, new Set([item]));
    else items.add(item);
  }

  delete(item: Item): void {
    const items = this.#itemsByDevice.get(item.device);
    items?.delete(item);
    if (items?.size === 0) this.#itemsByDevice.delete(item.device);
  }

  clear(): void {
    this.#itemsByDevice.clear();
  }

  /** Takes out the item whose turn it is; its device goes to the end. */
  take(): Item | undefined {
    for (const [device, items] of this.#itemsByDevice) {
      const [item] = items;
      this.#itemsByDevice.delete(device);
      if (item !== undefined) items.delete(item);
      if (items.size > 0) this.#itemsByDevice.set(device, items);
      return item;
    }
    return undefined;
  }
}
