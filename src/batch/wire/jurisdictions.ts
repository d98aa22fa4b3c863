/** The list of what a region may store, as both sides tell it to people. */

/** `KE, FR and what says none`; the empty code stands for sites that say none. */
export function storedText(jurisdictions: readonly string[]): string {
  const codes = jurisdictions.filter((code) => code !== '').join(', ');
  if (!jurisdictions.includes('')) return codes;
  return codes === '' ? 'what says none' : `${codes} and what says none`;
}
