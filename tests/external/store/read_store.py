"""Restores a version of a data set, written from docs/formats/store.md and dataset.md alone:

    read_store.py HOME NAME@N OUT

OUT gets rows.jsonl, media/ and originals/. Needs the packages cryptography and zstandard.
"""

import hashlib
import hmac
import json
import sqlite3
import struct
import sys
from pathlib import Path

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

FRAME, ZSTD, RECIPE = 16384, 1, 2


def open_xaes(key, nonce, data, aad):
    """XAES-256-GCM of c2sp.org: two CMACs over the first half of the nonce are the key."""
    halves = CMAC(AES(key)), CMAC(AES(key))
    for i, half in enumerate(halves, 1):
        half.update(bytes([0, i, ord("X"), 0]) + nonce[:12])
    key = halves[0].finalize() + halves[1].finalize()
    return AESGCM(key).decrypt(nonce[12:], data, aad.encode())


def open_message(key, message, context):
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + message[:24] + context.encode()
    derived, sealed = HKDFExpand(SHA512(), 76, info).derive(key), message[56:]
    assert derived[44:] == message[24:56], "wrong commitment"
    assert len(sealed) % (FRAME + 16) >= 16, "cut: the last frame is missing"
    cipher, base, plain = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big"), b""
    for k, at in enumerate(range(0, len(sealed), FRAME + 16)):
        plain += cipher.decrypt((base ^ k).to_bytes(12, "big"), sealed[at:at + FRAME + 16], None)
    return plain


class Domain:
    def __init__(self, keys, segments, name):
        self.name, self.records = name, {}
        dek = Path(f"{keys}/domains/{name}.key").read_bytes()
        version = int.from_bytes(dek[8:12], "little")
        kek = Path(f"{keys}/kek/{version:08}.key").read_bytes()
        assert (dek[:8], kek[:12]) == (b"mrtdek01", b"mrtkek01" + dek[8:12]), "not a key"
        root = Path(f"{keys}/root.key").read_bytes()
        kek = open_xaes(root, kek[12:36], kek[36:], f"mortise/1|kek|{version}")
        self.data_key = open_xaes(kek, dek[12:36], dek[36:], f"mortise/1|dek|{name}|{version}")
        for path in sorted((Path(segments) / name).glob("*.seg")):
            self.add_segment(path.read_bytes())

    def derive(self, label):
        info = f"mortise/1|{label}|{self.name}".encode()
        return HKDF(SHA512(), 32, None, info).derive(self.data_key)

    def mac(self, label, data):
        return hmac.digest(self.derive(label), data, "sha256")

    def add_segment(self, data):
        begin, count = struct.unpack_from("<QI", data, len(data) - 56)
        entries, end = data[begin:begin + 52 * count], data[-64:]
        assert data[:8] == b"mrtseg01" and end[:8] == b"mrtend01", "not a segment"
        assert data[24:88].rstrip(b"\0").decode() == self.name, "a segment of another domain"
        assert self.mac("mac", data[:96]) == data[96:128], "damaged header"
        assert self.mac("mac", data[:128] + entries + end[:32]) == end[32:], "damaged entries"
        for chunk, offset, *facts in struct.iter_unpack("<32sQIII", entries):
            size = 48 + 56 + facts[2] + 16 * (facts[2] // FRAME + 1)
            self.records[chunk] = (data[offset:offset + size], *facts)

    def chunk(self, chunk, is_recipe):
        record, flags, plain_size, stored_size = self.records[chunk]
        assert bool(flags & RECIPE) == is_recipe, "a recipe where a chunk should be, or the reverse"
        head = struct.pack("<4sIII", b"mrec", flags, plain_size, stored_size) + chunk
        assert record[:48] == head, "the record differs from its entry"
        context = f"mortise/1|chunk|{self.name}|{chunk.hex()}|{flags}|{plain_size}"
        stored = open_message(self.derive("seal"), record[48:], context)
        if flags & ZSTD:
            stored = zstandard.ZstdDecompressor().decompress(stored, max_output_size=plain_size)
        label = "recipe id" if is_recipe else "chunk id"
        assert self.mac(label, stored) == chunk, "another chunk"
        return stored

    def object(self, chunk, size, is_recipe):
        data = self.chunk(chunk, is_recipe)
        if is_recipe:
            level, count = struct.unpack_from("<II", data, 8)
            assert data[:8] == b"mrtrcp01" and len(data) == 16 + 40 * count, "not a recipe"
            parts = struct.iter_unpack("<32sQ", data[16:])
            data = b"".join(self.object(part, size, level > 0) for part, size in parts)
        assert len(data) == size, "another size than the reference says"
        return data

    def table(self, reference, magic, entry):
        _, chunk, size, kind = reference.split(":")
        data = self.object(bytes.fromhex(chunk), int(size), kind == "r")
        found, first, second, _ = struct.unpack_from("<8s3Q", data)
        count, rest = (second, 16 * first) if magic == b"MRTROW01" else (first, second)
        end = 32 + struct.calcsize(entry) * count
        assert found == magic and len(data) == end + rest, "not such a table"
        return struct.iter_unpack(entry, data[32:end]), data[end:]

    def rows(self, reference):
        groups, ids = self.table(reference, b"MRTROW01", "<32sQII")
        data = b""
        for chunk, size, kind, count in groups:
            data += self.object(chunk, size, kind == 1)
            assert data.count(b"\n", len(data) - size) == count, "another number of rows"
        found = b"".join(self.mac("row id", row)[:16] for row in data.splitlines())
        assert found == ids, "other rows"
        return data

    def names(self, reference):
        entries, names = self.table(reference, b"MRTNAM01", "<32sQIIQ")
        for chunk, size, kind, length, at in entries:
            yield names[at:at + length].decode(), self.object(chunk, size, kind == 1)


def main(home, version, out):
    name, number = version.rsplit("@", 1)
    database = sqlite3.connect(f"file:{Path(home).resolve()}/database/mortise.db?mode=ro", uri=True)
    text, digest = database.execute(
        "SELECT v.manifest, v.digest FROM versions v JOIN datasets d ON d.id = v.dataset_id"
        " WHERE d.name = ? AND v.number = ?", (name, int(number))).fetchone() or ("{}", "")
    manifest = json.loads(text)
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    found = hashlib.sha256(canonical.encode()).hexdigest()
    assert digest == "sha256:" + found, "no such version, or another manifest"
    domain = Domain(f"{home}/keys", f"{home}/store/segments", manifest["domain"])
    for part in ("media", "originals"):
        for name, data in domain.names(manifest[part]["object"]):
            path = Path(out) / part / name
            assert ".." not in path.parts and path.is_relative_to(out), f"{name} leaves OUT"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (Path(out) / "rows.jsonl").write_bytes(domain.rows(manifest["rows"]["object"]))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (AssertionError, InvalidTag, KeyError, OSError, ValueError) as error:
        sys.exit(f"read_store: {type(error).__name__}: {error}")
