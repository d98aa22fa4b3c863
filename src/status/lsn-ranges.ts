/** Ranges of the journal as people read them: `22 to 29, 125 to 127 and 3 more`. */
const NAMED_MAX = 8;

/** From 0: nobody knows where it began. */
export function rangesText(
  ranges: readonly { readonly fromLsn: number; readonly toLsn: number }[],
): string {
  const named = ranges.slice(0, NAMED_MAX).map(({ fromLsn, toLsn }) => {
    if (fromLsn === toLsn) return `${toLsn}`;
    return fromLsn === 0 ? `… to ${toLsn}` : `${fromLsn} to ${toLsn}`;
  });
  const more = ranges.length - named.length;
  return named.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
