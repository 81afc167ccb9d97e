"""Restores one object of a sealed store by its reference, written from docs/formats/store.md alone.

    read_store.py HOME DOMAIN REFERENCE > bytes
    read_store.py HOME DOMAIN PATH > bytes          of a file that a job made

Shares no code with the store. Needs the packages cryptography and, for compressed chunks, zstandard.
"""

import hmac
import re
import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FRAME = 16384
ZSTD, RECIPE = 1, 2


def expand(key, info, size):
    out, block = b"", b""
    for i in range(1, 256):
        if len(out) >= size:
            break
        block = hmac.digest(key, block + info + bytes([i]), "sha512")
        out += block
    return out[:size]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def open_xaes(key, nonce, data, aad):
    """XAES-256-GCM of c2sp.org: CMAC of two counted blocks gives the key of AES-256-GCM."""
    aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    base = int.from_bytes(aes.update(bytes(16)), "big")
    subkey = ((base << 1) & ((1 << 128) - 1) ^ (0x87 if base >> 127 else 0)).to_bytes(16, "big")
    derived = b"".join(aes.update(xor(bytes([0, i, ord("X"), 0]) + nonce[:12], subkey))
                       for i in (1, 2))
    return AESGCM(derived).decrypt(nonce[12:], data, aad.encode())


def open_message(key, message, context):
    """The plain bytes of a sealed message: salt, commitment, frames of which the last is shorter."""
    salt, commitment, sealed = message[:24], message[24:56], message[56:]
    derived = expand(key, b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt +
                     context.encode(), 76)
    assert derived[44:] == commitment, "wrong commitment"
    assert len(sealed) % (FRAME + 16) >= 16, "cut: the last frame is missing"
    cipher, base = AESGCM(derived[:32]), derived[32:44]
    return b"".join(cipher.decrypt(xor(base, k.to_bytes(12, "big")),
                                   sealed[k * (FRAME + 16):(k + 1) * (FRAME + 16)], None)
                    for k in range(len(sealed) // (FRAME + 16) + 1))


class Domain:
    """The keys of one domain and the place of each of its chunks."""

    def __init__(self, home, name):
        self.name = name
        keys = Path(home) / "keys"
        wrapped = (keys / "domains" / f"{name}.key").read_bytes()
        assert wrapped[:8] == b"mrtdek01", "not a data key"
        version = struct.unpack_from("<I", wrapped, 8)[0]
        kek_file = (keys / "kek" / f"{version:08}.key").read_bytes()
        assert kek_file[:12] == b"mrtkek01" + struct.pack("<I", version), "not a KEK"
        kek = open_xaes((keys / "root.key").read_bytes(), kek_file[12:36], kek_file[36:],
                        f"mortise/1|kek|{version}")
        self.data_key = open_xaes(kek, wrapped[12:36], wrapped[36:],
                                  f"mortise/1|dek|{name}|{version}")
        self.seal, self.mac = self.derive("seal"), self.derive("mac")
        self.places = {}
        folder = Path(home) / "segments" / name
        for path in sorted(folder.glob("*.seg")):
            self.add_segment(path)

    def derive(self, label):
        pseudo_random = hmac.digest(bytes(64), self.data_key, "sha512")
        return expand(pseudo_random, f"mortise/1|{label}|{self.name}".encode(), 32)

    def add_segment(self, path):
        data = path.read_bytes()
        begin, count = struct.unpack_from("<QI", data, len(data) - 56)
        entries, trailer = data[begin:begin + 52 * count], data[-64:]
        assert data[:8] == b"mrtseg01" and trailer[:8] == b"mrtend01", "not a segment"
        assert data[24:88].rstrip(b"\0").decode() == self.name, "a segment of another domain"
        assert hmac.digest(self.mac, data[:96], "sha256") == data[96:128], "damaged header"
        assert hmac.digest(self.mac, data[:128] + entries + trailer[:32], "sha256") == trailer[32:], \
            "damaged entries"
        for i in range(count):
            chunk, *place = struct.unpack_from("<32sQIII", entries, 52 * i)
            self.places[chunk] = (path, *place)

    def chunk(self, chunk, is_recipe):
        """The plain bytes of a chunk; every check of the format is made."""
        path, offset, flags, plain_size, stored_size = self.places[chunk]
        assert bool(flags & RECIPE) == is_recipe, "a recipe where a chunk should be, or the reverse"
        frames = stored_size // FRAME + 1
        with open(path, "rb") as file:
            file.seek(offset)
            record = file.read(48 + 56 + stored_size + 16 * frames)
        head = b"mrec" + struct.pack("<III", flags, plain_size, stored_size) + chunk
        assert record[:48] == head, "the record differs from its entry"
        context = f"mortise/1|chunk|{self.name}|{chunk.hex()}|{flags}|{plain_size}"
        stored = open_message(self.seal, record[48:], context)
        if flags & ZSTD:
            import zstandard  # pylint: disable=import-outside-toplevel
            stored = zstandard.ZstdDecompressor().decompress(stored, max_output_size=plain_size)
        label = "recipe id" if is_recipe else "chunk id"
        assert len(stored) == plain_size
        assert hmac.digest(self.derive(label), stored, "sha256") == chunk, "another chunk"
        return stored

    def file(self, path):
        data = Path(path).read_bytes()
        assert data[:8] == b"mrtfil01", "not a sealed file"
        assert data[8:72].rstrip(b"\0").decode() == self.name, "a file of another domain"
        return open_message(self.derive("file"), data[72:], f"mortise/1|file|{self.name}")

    def parts(self, chunk, is_recipe):
        data = self.chunk(chunk, is_recipe)
        if not is_recipe:
            yield data
            return
        level, count = struct.unpack_from("<II", data, 8)
        assert data[:8] == b"mrtrcp01" and len(data) == 16 + 40 * count, "not a recipe"
        for i in range(count):
            yield from self.parts(data[16 + 40 * i:48 + 40 * i], level > 0)


def main(home, name, reference):
    if Path(reference).is_file():
        sys.stdout.buffer.write(Domain(home, name).file(reference))
        return
    match = re.fullmatch(r"obj:([0-9a-f]{64}):(\d+):([sr])", reference)
    assert match, "not a reference"
    size = 0
    for part in Domain(home, name).parts(bytes.fromhex(match[1]), match[3] == "r"):
        size += len(part)
        sys.stdout.buffer.write(part)
    assert size == int(match[2]), "another size than the reference says"


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (AssertionError, InvalidTag, KeyError, OSError) as error:
        sys.exit(f"read_store: {type(error).__name__}: {error}")
