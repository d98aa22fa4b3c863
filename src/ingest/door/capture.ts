/**
 * Which publishes become ops, by the rules of the config: the first that matches a topic decides. Without
 * any rule, all publishes of QoS 1 and 2 are captured as telemetry; with rules, only what one of them
 * matches. The hub's own topics and `$…` never are.
 *
 * The outcome is kept per topic, because devices publish to the same few topics for ever; the memory has two
 * generations of bounded size, so that a flood of new topics cannot grow it.
 */
import { isLongerThan } from '../../base/bytes.ts';
import { CborWriter } from '../../codec/writer.ts';
import { type ClassName, classNamed, type OpClass, TELEMETRY } from '../../model/class.ts';
import { KEY_BYTES_MAX } from '../../model/op.ts';
import { isSystemTopic, topicMatches } from '../../model/topic.ts';

export interface CaptureRule {
  readonly filter: string;
  readonly class: ClassName;
  /** `none`: plain MQTT, not journaled. `latest`: earlier messages of a topic need not travel. */
  readonly keep: 'all' | 'latest' | 'none';
}

/** What a captured topic's publishes become. */
interface Route {
  readonly class: OpClass;
  /** The topic as a CBOR text. */
  readonly key: Uint8Array;
}

type Capture = { readonly kind: 'pass' } | { readonly kind: 'too-long' } | RouteCapture;
interface RouteCapture {
  readonly kind: 'route';
  readonly route: Route;
}

const GENERATION_TOPICS_MAX = 2048;
const PASS: Capture = { kind: 'pass' };
const TOO_LONG: Capture = { kind: 'too-long' };

export class CaptureRules {
  readonly #rules: readonly CaptureRule[];
  #young = new Map<string, Capture>();
  #old = new Map<string, Capture>();

  constructor(rules: readonly CaptureRule[]) {
    this.#rules = rules;
  }

  /** What becomes of a publish of QoS 1 or 2 to `topic`. */
  of(topic: string): Capture {
    const known = this.#young.get(topic);
    if (known !== undefined) return known;
    const capture = this.#old.get(topic) ?? this.#decide(topic);
    if (this.#young.size >= GENERATION_TOPICS_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(topic, capture);
    return capture;
  }

  #decide(topic: string): Capture {
    const opClass = this.#classOf(topic);
    if (opClass === undefined) return PASS;
    if (isLongerThan(topic, KEY_BYTES_MAX)) return TOO_LONG;
    const key = new CborWriter(topic.length + 3).text(topic).finish();
    return { kind: 'route', route: { class: opClass, key } };
  }

  #classOf(topic: string): OpClass | undefined {
    if (isSystemTopic(topic)) return undefined;
    if (this.#rules.length === 0) return TELEMETRY;
    const rule = this.#rules.find(({ filter }) => topicMatches(filter, topic));
    return rule === undefined || rule.keep === 'none' ? undefined : classNamed(rule.class);
  }
}
