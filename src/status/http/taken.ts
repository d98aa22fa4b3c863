/** What a client takes, by name, in one of its headers `Accept…`; what has the weight 0 it never takes [RFC 9110 §12.4.2]. */
export function takenIn(header: string): readonly string[] {
  return header
    .toLowerCase()
    .split(',')
    .map((each) => each.split(';').map((part) => part.trim()))
    .filter(([, ...parameters]) => !parameters.some((part) => /^q=0(\.0*)?$/.test(part)))
    .map(([name = '']) => name);
}
