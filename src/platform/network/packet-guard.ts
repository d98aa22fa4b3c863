/**
 * Watches the lengths that MQTT packets announce [MQTT-2.2.3], beside the library that reads them: that one gathers a packet
 * whole, however large it says it is, and a broker gone wrong could have a small machine gather 256 MB.
 */
export class PacketGuard {
  readonly #bytesMax: number;
  /** Bytes of the packet that are still to come. */
  #left = 0;
  /** Bytes of the fixed header that are here: the type, then those of the length. */
  #headBytes = 0;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes what has come; the length of the first packet that is too large, and undefined where none is. */
  take(bytes: Uint8Array): number | undefined {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      const byte = bytes[at++] as number;
      if (this.#headBytes++ === 0) continue;
      this.#length += (byte & 0x7f) * 128 ** (this.#headBytes - 2);
      if (this.#length > this.#bytesMax) return this.#length;
      // A length has four bytes at most; what is longer the library refuses.
      if (byte >= 0x80 && this.#headBytes < 5) continue;
      this.#left = this.#length;
      this.#headBytes = this.#length = 0;
    }
    return undefined;
  }
}
