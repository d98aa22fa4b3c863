/** Whether the client has what it asks for [RFC 9110 §13.1.2]: one of its tags is ours, also where a proxy has made it weak. */
export function isKnown(request: Headers, etag: string): boolean {
  const known = request.get('if-none-match');
  if (known === null) return false;
  return (
    known.trim() === '*' || known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
  );
}
