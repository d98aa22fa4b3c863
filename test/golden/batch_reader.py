"""Reads what BATCH.md, COLUMNS.md and BUNDLE.md describe, from their texts alone: Python, its `cryptography` and `brotli`, nothing
of ours.

Gets a folder of golden files, and a file with columns and the rows that they are to give; prints a line for each claim that
holds, and fails at the first that does not.
"""

import hashlib
import json
import sys
import zlib

sys.dont_write_bytecode = True

import brotli
from columns_reader import columns
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def sha256(data):
    return hashlib.sha256(data).digest()


# CBOR (RFC 8949), as far as the profile goes.


def item(data, at):
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info >= 24:
        size = 1 << (info - 24)
        info, at = int.from_bytes(data[at : at + size], "big"), at + size
    if major == 0:
        return info, at
    if major == 1:
        return -1 - info, at
    if major in (2, 3):
        raw = bytes(data[at : at + info])
        assert len(raw) == info
        return (raw if major == 2 else raw.decode()), at + info
    if major == 4:
        return items(data, at, info)
    if major == 5:
        flat, at = items(data, at, 2 * info)
        return dict(zip(flat[::2], flat[1::2])), at
    assert (major, info) == (7, 22)
    return None, at


def items(data, at, count):
    found = []
    for _ in range(count):
        one, at = item(data, at)
        found.append(one)
    return found, at


def decode(data):
    found, end = item(data, 0)
    assert end == len(data)
    return found


def slices(data):
    """The items of an array as the bytes that they are."""
    assert data[0] >> 5 == 4
    head = 1 if data[0] & 31 < 24 else 1 + (1 << ((data[0] & 31) - 24))
    count = data[0] & 31 if head == 1 else int.from_bytes(data[1:head], "big")
    found, at = [], head
    for _ in range(count):
        _, end = item(data, at)
        found.append(data[at:end])
        at = end
    assert at == len(data)
    return found


def bstr(data):
    size = len(data)
    if size < 24:
        return bytes([0x40 | size]) + data
    if size < 256:
        return bytes([0x58, size]) + data
    return b"\x59" + size.to_bytes(2, "big") + data


# Section 3: COSE_Sign1 with one header.


def opened(message, kind, key=None):
    """The payload, where `key` has signed it; None: the key that it names itself (greetings)."""
    protected, unprotected, payload, signature = decode(message)
    content_type = f"application/vnd.heliograph.{kind}+cbor"
    key = key or decode(payload)["key"]
    assert unprotected == {}
    assert decode(protected) == {1: -8, 3: content_type, 4: sha256(key)[:8]}
    signed = b"\x84\x6aSignature1" + bstr(protected) + b"\x40" + bstr(payload)
    Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    return payload


# RFC 9162, 2.1.1.


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:]))


FIELDS = (
    "format hub site class previous from_lsn through_lsn oldest_ms newest_ms ranges ops root payload_sha256 "
    "payload_bytes raw_bytes compression encoding created tree sealed_to jurisdiction skipped"
).split()
COUNT = {1: 18, 2: 19, 3: 21, 4: 22}


def manifest_of(payload):
    fields = decode(payload)
    assert len(fields) == COUNT[fields[0]]
    named = {"tree": None, "sealed_to": None, "jurisdiction": None, "skipped": None}
    return {**named, **dict(zip(FIELDS, fields))}


# Section 9.


def unsealed(payload, manifest_bytes, manifest, private, label=b"heliograph operator key\0"):
    raw = {"encoding": serialization.Encoding.Raw, "format": serialization.PublicFormat.Raw}
    own = private.public_key().public_bytes(**raw)
    assert manifest["sealed_to"] == sha256(label + own)[:8]
    ephemeral, sealed = payload[:32], payload[32:]
    secret = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    hkdf = HKDF(hashes.SHA256(), 32, salt=ephemeral + own, info=b"heliograph batch 1")
    associated = manifest_bytes.replace(manifest["payload_sha256"], bytes(32))
    return AESGCM(hkdf.derive(secret)).decrypt(bytes(12), sealed, associated)


def batch_of(data, key, private=None):
    """Manifest and payload, verified; the payload as it was before encryption."""
    signed, payload = decode(data)
    content = opened(signed, "manifest", key)
    manifest = manifest_of(content)
    assert manifest["payload_sha256"] == sha256(payload)
    assert manifest["payload_bytes"] == len(payload)
    if manifest["sealed_to"] is not None:
        payload = unsealed(payload, content, manifest, private)
    return sha256(signed)[:16].hex(), manifest, payload


def check_ops(manifest, payload):
    assert manifest["encoding"] in (0, 1) and manifest["compression"] in (0, 1)
    if manifest["compression"] == 1:
        payload = brotli.decompress(payload)
    assert manifest["raw_bytes"] == len(payload)
    pairs = columns(decode(payload)) if manifest["encoding"] else [slices(row) for row in slices(payload)]
    assert len(pairs) == manifest["ops"]
    assert root_of([sha256(b"\0" + op) for op, _ in pairs]) == manifest["root"]
    for op, stamp in pairs:
        origin, op_class, seq = decode(op)[:3]
        assert op_class == manifest["class"]
        assert any(
            [origin, op_class] == lane[:2] and lane[2] <= seq <= lane[3] for lane in manifest["ranges"]
        )
        # Stamp times lie within what the manifest says.
        ms = int.from_bytes(decode(stamp)[1][:6], "big")
        assert manifest["oldest_ms"] <= ms <= manifest["newest_ms"]
    return [op.hex() for op, _ in pairs]


# Section 4.


def span(index, total, size):
    step = -(-size // total)
    return index * step, min((index + 1) * step, size)


def check_chunk(data):
    index, total, size, digest, piece = decode(data)
    first, end = span(index, total, size)
    assert end - first == len(piece) and digest == sha256(piece)


def check_short(data):
    assert int.from_bytes(data[8:12], "big") == zlib.crc32(data[:8] + data[12:])
    return data[:4], int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big"), data[12:]


def check_columns(data, rows):
    assert columns(decode(data)) == [tuple(slices(row)) for row in slices(rows)], data.hex()


# BUNDLE.md.


def messages_of(files):
    magic, form, bundle, _, parts = files[0][:5]
    assert (magic, form, len(files)) == ("heliograph bundle", 1, parts)
    content = b""
    for part, file in enumerate(sorted(files, key=lambda file: file[3]), 1):
        assert file[:5] == [magic, form, bundle, part, parts] and file[5] == sha256(file[6])
        content += file[6]
    assert bundle == sha256(content)[:16]
    return decode(content)


# Section 5.1.


def check_resumed(answer, hub, nonce, key):
    signature, body = answer[:64], answer[64:]
    signed = b"heliograph resumed 1\0" + hub + nonce + body
    Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    there = {}
    for ref, total, runs in decode(body):
        chunks, at = set(), 0
        for place, run in enumerate(runs):
            if place % 2 == 0:
                chunks.update(range(at, at + run))
            at += run
        there[ref.hex()] = (total, sorted(chunks))
    return there


def main(folder, samples):
    def golden(name):
        with open(f"{folder}/{name}.json") as file:
            return json.load(file)

    def of(name, *fields):
        read = golden(name)
        return [bytes.fromhex(read[field]) for field in fields]

    seeds = {who: Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for who, n in (("hub", 1), ("region", 2))}
    raw = {"encoding": serialization.Encoding.Raw, "format": serialization.PublicFormat.Raw}
    keys = {who: seed.public_key().public_bytes(**raw) for who, seed in seeds.items()}
    hub_id = sha256(keys["hub"])[:8]

    # Messages of format 1.
    messages = golden("batch-1-messages")
    hexes = {name: bytes.fromhex(message["hex"]) for name, message in messages.items()}
    check_chunk(hexes["chunk"])
    hello = decode(opened(hexes["hello"], "hello"))
    assert sha256(hello["key"])[:8] == hub_id and hello["site"] == "demo"
    answer = decode(opened(hexes["downHello"], "down-hello"))
    assert answer["hub"] == hub_id and answer["key"] == keys["region"]
    have = decode(opened(hexes["have"], "have", keys["region"]))
    bits = "".join(f"{byte:08b}" for byte in have["chunks"])
    assert have["total"] == 11 and [at for at, bit in enumerate(bits) if bit == "1"] == [0, 9]
    stored, refused = (decode(opened(hexes[name], "receipt", keys["region"])) for name in ("stored", "refused"))
    for outcome, receipt in enumerate((stored, refused)):
        assert receipt[0] == 1 and len(receipt) == 11 and receipt[1] == hub_id and receipt[3] == outcome
    assert stored[4] == "" and refused[4] != "" and refused[6:9] == [[], 0, bytes(32)]
    print("messages of format 1")

    # Formats 2 and 4.
    manifest, receipt = of("batch-2", "manifest", "receipt")
    told = manifest_of(opened(manifest, "manifest", keys["hub"]))
    receipt = decode(opened(receipt, "receipt", keys["region"]))
    assert told["format"] == 2 and told["tree"][0] >= told["ops"]
    assert receipt[0] == 2 and receipt[11][:2] == told["tree"] and len(receipt[11][2]) == 72
    assert receipt[6:9] == [told["ranges"], told["ops"], told["root"]]
    for sealed in of("batch-4", "manifest", "sealed"):
        told = manifest_of(opened(sealed, "manifest", keys["hub"]))
        assert told["format"] == 4 and len(told["skipped"]) % 32 == 0
        assert told["tree"][0] - told["ops"] - len(told["skipped"]) // 32 == 1
    print("manifests of formats 2 and 4")

    # Rows of format 1.
    with open(f"{folder}/batch-1-rows.cbor", "rb") as file:
        batch_id, told, payload = batch_of(file.read(), keys["hub"])
    says = golden("batch-1-rows")
    assert batch_id == says["id"]
    assert check_ops(told, payload) == [entry["bytes"] for entry in says["entries"]]
    print("rows of format 1")

    # Columns of format 1, in a batch and by themselves.
    with open(f"{folder}/batch-1-columns.cbor", "rb") as file:
        batch_id, told, payload = batch_of(file.read(), keys["hub"])
    says = golden("batch-1-columns")
    assert batch_id == says["id"] and told["encoding"] == 1
    assert check_ops(told, payload) == [entry["bytes"] for entry in says["entries"]]
    with open(samples) as file:
        for sample in json.load(file):
            check_columns(bytes.fromhex(sample["columns"]), bytes.fromhex(sample["rows"]))
    print("columns of format 1")

    # A bundle in parts, in any order.
    messages = messages_of([decode(bytes.fromhex(part)) for part in reversed(golden("bundle-1"))])
    assert [topic.split("/")[4] for topic, _ in messages] == ["hello", "up"]
    assert messages[1][1] == bytes([7]) * 64
    print("a bundle in parts")

    # Format 3: to the operator's key, and down to a hub.
    third = golden("batch-3")
    private = serialization.load_pem_private_key(third["privateKey"].encode(), None)
    batch_id, told, payload = batch_of(bytes.fromhex(third["batch"]), keys["hub"], private)
    assert batch_id == third["id"] and told["jurisdiction"] == "KE" and len(payload) == told["raw_bytes"]
    print("a batch to the operator's key")
    down = golden("batch-down-1")
    own = HKDF(hashes.SHA256(), 32, salt=None, info=b"heliograph downlink key 1").derive(bytes([1]) * 32)
    recipient = X25519PrivateKey.from_private_bytes(own)
    batch_id, told, payload = batch_of(bytes.fromhex(down["batch"]), keys["region"], recipient)
    assert batch_id == down["id"] and recipient.public_key().public_bytes(**raw).hex() == down["sealKey"]
    assert check_ops(told, payload) == down["ops"]
    print("a batch down to a hub")

    # Section 11: what a hub says, and the receipt.
    hello = decode(opened(bytes.fromhex(down["hello"]), "hello"))
    vector, takes = hello["down"][:2]
    assert len(vector) % 17 == 0 and set(takes) <= set(range(7))
    lanes = [vector[at : at + 17] for at in range(0, len(vector), 17)]
    assert lanes == sorted(lanes)
    receipt = decode(opened(bytes.fromhex(down["downReceipt"]), "down-receipt", keys["hub"]))
    assert receipt[0] == 1 and receipt[1] == hub_id and receipt[3] in (0, 1)
    print("a wish and a receipt of what came down")

    # Sections 4 and 5.1.
    short, resume, resumed = of("resume-1", "shortChunk", "resume", "resumed")
    ref, total, index, _ = check_short(short)
    assert index < total
    nonce, refs = decode(resume)
    assert refs[0] == ref
    found = check_resumed(resumed, hub_id, nonce, keys["region"])
    assert found == {"005fcc78": (5, [0, 1, 3]), "ffffffff": (0, [])}
    print("a short chunk, a question and its answer")


main(*sys.argv[1:])
