/**
 * For one who follows the journal while somebody else reads and unseals the same entries anyway, and offers them: who offers sets
 * the pace, and only where he has been quiet for long does one read for oneself.
 */
export class Offers {
  readonly #quietLooksMax: number;
  #sinceLook = 0;
  #quietLooks: number;

  /** Nobody has offered anything yet. */
  constructor(quietLooksMax: number) {
    this.#quietLooksMax = this.#quietLooks = quietLooksMax;
  }

  /** Something was offered, whether it was of use or not. */
  came(): void {
    this.#sinceLook += 1;
  }

  /** Asked at each look: whether what is lacking will be offered. */
  areToCome(): boolean {
    this.#quietLooks = this.#sinceLook > 0 ? 0 : this.#quietLooks + 1;
    this.#sinceLook = 0;
    return this.#quietLooks < this.#quietLooksMax;
  }
}
