"""Safetensors in and out, and the comparison of the goldens, without any library. Used by the tests
of this folder. Values are plain lists of Python numbers: the goldens are small.
"""

import array
import json
import math
import struct

_CODES = {"F32": "f", "F64": "d", "I64": "q", "I32": "i", "U8": "B", "BF16": "H"}


class Tensor:
    """values: row-major; shape: a list; kind: the dtype as the file spells it."""

    def __init__(self, kind, shape, values):
        self.kind, self.shape, self.values = kind, list(shape), values

    def part(self, index):
        """self[index] along the first axis."""
        step = math.prod(self.shape[1:])
        return Tensor(self.kind, self.shape[1:], self.values[index * step:(index + 1) * step])

    def rows(self):
        """All rows of the last axis."""
        width = self.shape[-1]
        return [self.values[at:at + width] for at in range(0, len(self.values), width)]


def read(path):
    """The tensors of a file by name."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        values = array.array(_CODES[entry["dtype"]])
        values.frombytes(data[begin:end])
        if entry["dtype"] == "BF16":  # the upper half of a float
            values = array.array("f", struct.pack(f"<{len(values)}I", *(x << 16 for x in values)))
        tensors[name] = Tensor(entry["dtype"], entry["shape"], values)
    return tensors


def write(path, tensors):
    header, pieces, at = {}, [], 0
    for name, tensor in tensors.items():
        if tensor.kind == "BF16":
            raise ValueError(f"{name}: bfloat16 is read here, not written")
        piece = array.array(_CODES[tensor.kind], tensor.values).tobytes()
        header[name] = {"dtype": tensor.kind, "shape": tensor.shape,
                        "data_offsets": [at, at + len(piece)]}
        pieces.append(piece)
        at += len(piece)
    head = json.dumps(header).encode("utf-8")
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(pieces))


def worst_ratio(got, want, tolerance, mask=None):
    """The largest |got - want| / (atol + rtol |want|), where mask is 1 along the leading axes."""
    if got.shape != want.shape:
        raise AssertionError(f"shape {got.shape}, not {want.shape}")
    atol, rtol = tolerance.get("atol", 0), tolerance.get("rtol", 0)
    width = len(want.values) // len(mask.values) if mask else 1
    worst = 0.0
    for index, (a, b) in enumerate(zip(got.values, want.values)):
        if mask and not mask.values[index // width]:
            continue
        ratio = abs(a - b) / (atol + rtol * abs(b))
        if not ratio <= worst:  # NaN counts as far away
            worst = ratio if ratio == ratio else math.inf
    return worst
