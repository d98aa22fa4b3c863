/** How the HTTP port says no: problem documents (RFC 9457), also where there is no response to write them into. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

export const PROBLEM_TYPE = 'application/problem+json';

interface Problem {
  readonly status: number;
  readonly detail: string;
}

/** Why a request is not even looked at. */
export interface Refusal extends Problem {
  readonly status: 400 | 403 | 404 | 408 | 411 | 413 | 417 | 426 | 431 | 500 | 503;
  readonly upgrade?: string;
}

/**
 * A problem document (RFC 9457), of the server or of its handler. Its title is the phrase of HTTP, as `about:blank` wants
 * it (§4.2.1); `detail` says what was wrong and what would be right.
 */
export function problemText({ status, detail }: Problem): string {
  const title = STATUS_CODES[status];
  return `${JSON.stringify({ type: 'about:blank', title, status, detail })}\n`;
}

/** As the answer of a handler. */
export function problemAnswer(
  problem: Problem,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(problemText(problem), {
    status: problem.status,
    headers: { 'Content-Type': PROBLEM_TYPE, 'Cache-Control': 'no-store', ...headers },
  });
}

/** The whole answer by hand, where there is no response. */
export function refuse(socket: Duplex, refusal: Refusal): void {
  const body = problemText(refusal);
  socket.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Cache-Control: no-store\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
