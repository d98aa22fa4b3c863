"""Reads what COLUMNS.md describes, from its text alone: gives back the bytes of every op and stamp."""

import math
import struct
from datetime import datetime, timedelta

DOUBLE, SINGLE, TEXT, ISO_MS, ISO_S = range(10, 15)
PREVIOUS, LINEAR, QUICK, SLOW, DRIFT, FOLLOW_MS, FOLLOW_S, SCHEDULE = range(8)
SAFE = 2**53 - 1
U32 = 2**32 - 1


# Section 3.


class Bits:
    def __init__(self, coded):
        self.coded, self.at = coded, 0
        self.low, self.high, self.code = 0, U32, 0
        for _ in range(4):
            self.take()

    def take(self):
        byte = self.coded[self.at] if self.at < len(self.coded) else 0
        self.code = (self.code << 8 & U32) + byte
        self.at += 1

    def split(self, middle):
        one = self.code <= middle
        if one:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) >> 24 == 0:
            self.low, self.high = self.low << 8 & U32, (self.high << 8 & U32) + 255
            self.take()
        return int(one)

    def bit(self, odds, which):
        chance, met = odds.get(which, (32768, 0))
        width = self.high - self.low
        one = self.split(self.low + (width >> 16) * chance + ((width & 65535) * chance >> 16))
        target = 65512 if one else 24
        chance += (target - chance) * math.floor(4096 / (met + 1.6)) // 4096
        odds[which] = (chance, min(160, met + 1))
        return one

    def plain(self, count):
        value = 0
        for _ in range(count):
            value = value * 2 + self.split(self.low + (self.high - self.low) // 2)
        return value

    # Section 4.1.

    def symbol(self, odds, count):
        at = 1
        for _ in range(count):
            at = at * 2 + self.bit(odds, at)
        return at - (1 << count)

    def end(self):
        assert self.at == len(self.coded) + 3, "the coded part ends early or late"


class Model:
    def __init__(self):
        self.zero, self.sign = {}, {}
        self.lengths = [{} for _ in range(4)]
        self.tops = [{} for _ in range(53)]


class Memory:
    """What a stream remembers of its last distance."""

    def __init__(self):
        self.length, self.sign = 0, 0


def number(bits, model, memory, predicted):
    length = memory.length
    mood = 0 if length == 0 else 1 if length < 4 else 2 if length < 8 else 3
    if bits.bit(model.zero, mood):
        memory.length, memory.sign = 0, 0
        return predicted
    length = bits.symbol(model.lengths[mood], 6)
    assert 1 <= length <= 53
    below = bits.bit(model.sign, memory.sign)
    memory.length, memory.sign = length, 2 if below else 1
    if length == 53:
        negative = bits.plain(1)
        size = bits.plain(27) << 26
        size += bits.plain(26)
        return -size if negative else size
    top = min(2, length - 1)
    distance = (1 << top) + bits.symbol(model.tops[length], top)
    rest = length - 1 - top
    if rest > 26:
        distance = (distance << (rest - 26)) + bits.plain(rest - 26)
        rest = 26
    distance = (distance << rest) + bits.plain(rest)
    return predicted - distance if below else predicted + distance


# Section 5.


class Mean:
    def __init__(self, share):
        self.share, self.value, self.count = share, 0.0, 0

    def take(self, x):
        self.count += 1
        self.value += (x - self.value) * max(self.share, 1 / self.count)


class Stream:
    """Numbers that are predicted one way, coded by a model that others may share."""

    def __init__(self, model, way=PREVIOUS, first=0, period=0):
        self.model, self.way, self.first, self.period = model, way, first, period
        self.memory, self.begun = Memory(), False
        self.last, self.step, self.reference, self.due = 0, 0, 0, 0.0
        self.mean = Mean({QUICK: 1 / 4, SLOW: 1 / 16, DRIFT: 1 / 16}.get(way, 0))

    def prediction(self, reference):
        if self.way == FOLLOW_MS:
            return self.last + (reference - self.reference)
        if self.way == FOLLOW_S:
            return self.last + (reference // 1000 - self.reference // 1000)
        if not self.begun:
            return self.first
        if self.way == LINEAR:
            return self.last + self.step
        if self.way in (QUICK, SLOW):
            return self.mean.value
        if self.way == DRIFT:
            return self.last + self.mean.value
        if self.way == SCHEDULE:
            return self.due + self.period
        return self.last

    def read(self, bits, reference=0):
        predicted = max(-SAFE, min(SAFE, math.floor(self.prediction(reference) + 0.5)))
        x = number(bits, self.model, self.memory, predicted)
        assert abs(x) <= SAFE
        if self.way in (QUICK, SLOW):
            self.mean.take(x)
        elif self.way == DRIFT and self.begun:
            self.mean.take(x - self.last)
        elif self.way == SCHEDULE:
            self.move_due(x)
        self.step = x - self.last if self.begun else 0
        self.last, self.reference, self.begun = x, reference, True
        return x

    def move_due(self, x):
        expected = self.due + self.period
        off = x - expected
        if not self.begun or abs(off) > self.period / 2:
            self.due = x
        else:
            self.due = expected + off / 16


# Section 2.3.


def text_of_double(value):
    """ECMAScript Number::toString."""
    if value == 0:
        return "0"
    sign, text = ("-", repr(-value)) if value < 0 else ("", repr(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    point = len(whole) + int(exponent or 0)
    digits = whole + part
    lead = len(digits) - len(digits.lstrip("0"))
    digits, point = digits.lstrip("0").rstrip("0"), point - lead
    if 0 < point <= 21:
        digits = digits.ljust(point, "0")
        return sign + digits[:point] + ("." + digits[point:] if digits[point:] else "")
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return sign + digits[0] + ("." + digits[1:] if digits[1:] else "") + power


def text_of_decimal(value, digits):
    sign, size = ("-", str(-value)) if value < 0 else ("", str(value))
    size = size.rjust(digits + 1, "0")
    return sign + (size if digits == 0 else f"{size[:-digits]}.{size[-digits:]}")


def text_of_single(place):
    word = place if place >= 0 else -place | 1 << 31
    return text_of_double(struct.unpack(">f", word.to_bytes(4, "big"))[0])


def text_of_time(value, is_ms):
    seconds, ms = divmod(value, 1000) if is_ms else (value, 0)
    days, seconds = divmod(seconds, 86400)
    # The calendar repeats itself after 400 years, and Python's knows no year 0.
    cycles, days = divmod(days, 146097)
    at = datetime(1970, 1, 1) + timedelta(days, seconds)
    text = f"{at.year + 400 * cycles:04d}-{at:%m-%dT%H:%M:%S}"
    return text + (f".{ms:03d}Z" if is_ms else "Z")


class Slot:
    """What is shared by all series: models, and texts that were met."""

    def __init__(self):
        self.usual, self.shapes = {}, {}
        self.numbers, self.places = Model(), Model()
        self.bytes = [{} for _ in range(8)]
        self.first, self.texts = 0, []


class SlotStream:
    """One slot of a template in one series."""

    def __init__(self, slot, plan):
        self.slot, self.plan = slot, plan
        _, _, _, way = plan
        self.numbers = Stream(slot.numbers, way, slot.first)
        self.places = Stream(slot.places)
        self.was_usual, self.double = 1, bytes(8)

    def number(self, bits, reference):
        begun = self.numbers.begun
        value = self.numbers.read(bits, reference)
        if not begun:
            self.slot.first = value
        return value

    def read(self, bits, reference, texts):
        usual_shape, digits, least, _ = self.plan
        usual = bits.bit(self.slot.usual, self.was_usual)
        self.was_usual = usual
        shape = usual_shape if usual else bits.symbol(self.slot.shapes, 4)
        if shape == DOUBLE:
            xor = bytes(bits.symbol(self.slot.bytes[at], 8) for at in range(8))
            self.double = bytes(a ^ b for a, b in zip(self.double, xor))
            return text_of_double(struct.unpack(">d", self.double)[0]).encode()
        if shape == TEXT:
            place = self.places.read(bits)
            if place == len(self.slot.texts):
                self.slot.texts.append(next(texts))
            return self.slot.texts[place]
        value = self.number(bits, reference)
        if shape == SINGLE:
            return text_of_single(value).encode()
        if shape in (ISO_MS, ISO_S):
            return text_of_time(value, shape == ISO_MS).encode()
        text = text_of_decimal(value, digits)
        if usual:
            for _ in range(digits - least):
                if text.endswith("0"):
                    text = text[:-1]
        else:
            assert shape <= digits
            cut = digits - shape
            assert text[len(text) - cut :] == "0" * cut
            text = text[: len(text) - cut]
        return text.removesuffix(".").encode()


# Sections 2 and 4.


class Columns:
    def __init__(self, table):
        form, self.origins, self.stamps, self.clocks, self.series, templates, texts, raw, coded = table
        assert form == 1
        self.templates = [template.split(b"\0") for template in templates]
        self.slots = [[Slot() for _ in parts[1:]] for parts in self.templates]
        self.texts, self.raw = iter(texts), raw
        self.raw_at = 0
        self.bits = Bits(coded)
        self.times, self.counters = Model(), Model()
        self.stamp_times, self.stamp_counters = Model(), Model()
        self.stamp_index, self.raw_length = Stream(Model()), Stream(Model())
        self.period, self.template_model = Stream(Model()), Model()
        self.ways, self.stamp_ways = {}, {}
        self.plans = [{} for _ in range(4)]
        self.first_time = self.first_stamp = self.first_template = 0

    def plan(self):
        return tuple(self.bits.symbol(odds, 3 if at == 3 else 4) for at, odds in enumerate(self.plans))

    def body(self, number, met, ms):
        if number == 0:
            length = self.raw_length.read(self.bits)
            self.raw_at += length
            assert self.raw_at <= len(self.raw)
            return self.raw[self.raw_at - length : self.raw_at]
        parts, slots = self.templates[number - 1], self.slots[number - 1]
        if number not in met:
            plans = [self.plan() for _ in slots]
            met[number] = [SlotStream(slot, plan) for slot, plan in zip(slots, plans)]
        body = parts[0]
        for stream, part in zip(met[number], parts[1:]):
            body += stream.read(self.bits, ms, self.texts) + part
        return body

    def series_ops(self, count):
        bits = self.bits
        way = bits.symbol(self.ways, 3)
        period = self.period.read(bits) if way == SCHEDULE else 0
        stamp_way = bits.symbol(self.stamp_ways, 3)
        times = Stream(self.times, way, self.first_time, period)
        counters, stamp_counters = Stream(self.counters), Stream(self.stamp_counters)
        stamp_times = Stream(self.stamp_times, stamp_way, self.first_stamp)
        numbers, met, ops = Stream(self.template_model, PREVIOUS, self.first_template), {}, []
        for at in range(count):
            ms = times.read(bits)
            counter = counters.read(bits)
            stamp_ms = stamp_times.read(bits, ms)
            stamp_counter = stamp_counters.read(bits) + (counter if stamp_ms == ms else 0)
            stamp = self.stamps[self.stamp_index.read(bits)]
            number = numbers.read(bits)
            if at == 0:
                self.first_time, self.first_stamp, self.first_template = ms, stamp_ms, number
            body = self.body(number, met, ms)
            ops.append((ms, counter, stamp_ms, stamp_counter, stamp, body))
        return ops

    def read(self):
        """Op and stamp of each, as values, in the order of the batch."""
        of_series = [self.series_ops(count) for *_, count in self.series]
        assert self.raw_at == len(self.raw) and next(self.texts, None) is None
        found = list(self.in_order(of_series))
        self.bits.end()
        return found

    def places(self, of_series):
        """In which series the next op is."""
        if self.bits.plain(1):
            every = ((op[2], op[3], at) for at, ops in enumerate(of_series) for op in ops)
            yield from (at for _, _, at in sorted(every))
            return
        count = len(of_series)
        follows = [(at + 1) % count for at in range(count)]
        before, is_next, index, memory = count - 1, {}, Model(), Memory()
        for _ in range(sum(map(len, of_series))):
            at = follows[before]
            if not self.bits.bit(is_next, 0):
                at = number(self.bits, index, memory, 0)
            follows[before], before = at, at
            yield at

    def in_order(self, of_series):
        seqs, clocks, monotonic = Model(), Model(), Model()
        memory, lanes = Memory(), {}
        taken = [0] * len(of_series)
        for at in self.places(of_series):
            origin, op_class, kind, key, _ = self.series[at]
            ms, counter, stamp_ms, stamp_counter, stamp, body = of_series[at][taken[at]]
            taken[at] += 1
            lane = lanes.setdefault(
                (origin, op_class), {"seq": 0, "clock": Stream(clocks), "ms": Stream(monotonic, FOLLOW_MS)}
            )
            lane["seq"] = number(self.bits, seqs, memory, lane["seq"] + 1)
            quality, boot = self.clocks[lane["clock"].read(self.bits)]
            clock = [quality, boot, lane["ms"].read(self.bits, ms)]
            hub, authority, epoch = stamp
            op = [self.origins[origin], op_class, lane["seq"], hlc(ms, counter), clock, kind, key, body]
            yield op, [self.origins[hub], hlc(stamp_ms, stamp_counter), authority, epoch]


def hlc(ms, counter):
    return ms.to_bytes(6, "big") + counter.to_bytes(2, "big")


# The profile of WIRE.cddl, written.


def cbor(value):
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(0, value)


def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError(value)


def columns(table):
    """Bytes of op and stamp of each, in order, of the decoded CBOR item of a payload."""
    return [(cbor(op), cbor(stamp)) for op, stamp in Columns(table).read()]
