/** Randomness comes in through this interface only, so that one seed replays a whole month. */
export interface Random {
  /** `count` bytes, unpredictable in production. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1). */
  fraction(): number;
}

/** A whole number in [0, `limit`). */
export function below(random: Random, limit: number): number {
  return Math.floor(random.fraction() * limit);
}
