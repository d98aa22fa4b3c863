/**
 * What a person asks for in the body of a POST: a JSON object from the own page or a command, never from another web site and
 * never from a device.
 */
import type { JsonValue } from '../../codec/json.ts';
import type { Role } from '../../model/op.ts';
import { type HttpPrincipal, refuseForgery } from './login.ts';
import { problem } from './problem.ts';

export interface Wish {
  readonly body: Readonly<Partial<Record<string, JsonValue>>>;
  readonly role: Role;
  /** Of whoever asks; undefined where nobody is asked for a name. */
  readonly name: string | undefined;
}

/** What `answer` says to the wish, or why there is none. */
export async function answerWish(
  request: Request,
  principal: HttpPrincipal | undefined,
  answer: (wish: Wish) => Response | Promise<Response>,
): Promise<Response> {
  const forgery = refuseForgery(request);
  if (forgery !== undefined) return forgery;
  if (principal?.role === 'device') return problem(403, 'This is for people, no device.');
  const body = objectIn(await request.text());
  if (body === undefined) return problem(400, 'The body is a JSON object.');
  // Where nobody is asked for a name, whoever reaches the machine itself runs it.
  return answer({ body, role: principal?.role ?? 'operator', name: principal?.name });
}

function objectIn(text: string): Wish['body'] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Wish['body']) : undefined;
  } catch {
    return undefined;
  }
}
