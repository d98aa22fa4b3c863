/** Answers of the API, and the headers that every one of them carries. */

/** What the page may load and do: its own files, nothing else. */
const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

export function secured(answer: Response): Response {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
  return answer;
}

export function jsonAnswer(value: unknown, status = 200): Response {
  return textAnswer(`${JSON.stringify(value)}\n`, 'application/json', status);
}

/** Lines of JSON. */
export function linesAnswer(lines: readonly unknown[]): Response {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  return textAnswer(text, 'application/jsonl; charset=utf-8');
}

export function textAnswer(text: string, type: string, status = 200): Response {
  return new Response(text, {
    status,
    headers: { 'Content-Type': type, 'Cache-Control': 'no-store' },
  });
}
