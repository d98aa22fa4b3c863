/** Why no hub would ever take an op, found before it is made: in the log of a device it would stand in the way of all that follow. */
import { hasHalf, isLongerThan } from '../../base/bytes.ts';
import { unfoldable } from '../../merge/fold.ts';
import { FIELD_NAME_BYTES_MAX, PATCH_FIELDS_MAX, VALUE_DEPTH_MAX } from '../../merge/patch.ts';
import {
  EVENT,
  KEY_BYTES_MAX,
  KIND_NAMES,
  type KindName,
  type Op,
  OP_BYTES_MAX,
} from '../../model/op.ts';
import { isSystemTopic, isTopicName, TOPIC_LEVELS_MAX } from '../../model/topic.ts';

/** In words for whoever writes the program. */
const WHAT_FITS: Readonly<Partial<Record<KindName, string>>> = {
  patch: `a patch has 1 to ${PATCH_FIELDS_MAX} fields, names of 1 to ${FIELD_NAME_BYTES_MAX} bytes, and values nested at most ${VALUE_DEPTH_MAX} deep`,
  add: 'what is added is a whole number, to a counter whose name has 1 to 256 bytes',
};

/** Undefined where it fits. */
export function unfitReason(op: Op, bytes: Uint8Array): string | undefined {
  const { key } = op;
  const unfit = unfitKey(key) ?? (op.kind === EVENT ? unfitTopic(key) : undefined);
  if (unfit !== undefined) return unfit;
  if (bytes.length > OP_BYTES_MAX) {
    return `${key}: ${bytes.length} bytes at once, and a hub takes ${OP_BYTES_MAX}; larger contents are assets`;
  }
  const why = unfoldable(op);
  return why && `${key}: ${WHAT_FITS[KIND_NAMES[op.kind]] ?? why}`;
}

/** Why nothing can have this key; undefined where it fits. */
export function unfitKey(key: string): string | undefined {
  if (key === '') return 'a key has at least one character';
  if (isLongerThan(key, KEY_BYTES_MAX)) return `a key has at most ${KEY_BYTES_MAX} bytes of UTF-8`;
  if (hasHalf(key)) return 'the key is no text: a half of a character stands alone';
  return key.includes('\u0000') ? 'a key has no U+0000' : undefined;
}

/** An event is a message: its key is a topic that one may publish to. */
function unfitTopic(topic: string): string | undefined {
  if (/[+#]/.test(topic)) return `${topic}: + and # are for those who listen, no topic has them`;
  if (!isTopicName(topic)) return `a topic has at most ${TOPIC_LEVELS_MAX} levels`;
  if (!isSystemTopic(topic)) return undefined;
  return `${topic}: topics that begin with $, hub/ or sync/ are the hub’s own`;
}
