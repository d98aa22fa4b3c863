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
}

/** What is said where it is not granted. */
interface WishWords {
  readonly toDevices: string;
  /** Where the body is no object. */
  readonly unclear: string;
}

/** The wish, or the answer that refuses it. */
export async function wishIn(
  request: Request,
  principal: HttpPrincipal | undefined,
  words: WishWords,
): Promise<Wish | Response> {
  const forgery = refuseForgery(request);
  if (forgery !== undefined) return forgery;
  if (principal?.role === 'device') return problem(403, words.toDevices);
  // Where nobody is asked for a name, whoever reaches the machine itself runs it.
  const role = principal?.role ?? 'operator';
  try {
    const body: unknown = JSON.parse(await request.text());
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
      return { body: body as Wish['body'], role };
    }
  } catch {
    // Said below.
  }
  return problem(400, words.unclear);
}
