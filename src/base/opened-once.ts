/** Opens with the first call, for all calls; where that failed, the next call tries again: what was in the way may have passed. */
export function openedOnce<T>(
  open: () => Promise<T>,
  onFailure: (error: unknown) => void,
): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      onFailure(error);
      throw error;
    });
    return opened;
  };
}
