"""Draws film-like pictures with findings and writes the rows of the demo. Standard library only.

A film is a grey PNG: two dark lung fields on a lighter ground with noise, and at most one finding,
of one of four kinds, in one of six zones (right or left, upper, middle or lower) and one of two
sizes. What a row says can be seen in its picture and nowhere else. Called by demo.py.
"""

import itertools
import json
import math
import random
import struct
import zlib
from pathlib import Path

SIZE = 64  # pixels, square

KINDS = ["nodule", "opacity", "cavity", "line"]
SIDES = ["right", "left"]
ZONES = ["upper", "middle", "lower"]
EXTENTS = ["small", "large"]

ZH = {
    "nodule": "结节", "opacity": "片状影", "cavity": "空洞", "line": "条索影",
    "right": "右", "left": "左", "upper": "上", "middle": "中", "lower": "下",
    "small": "较小", "large": "较大",
}


def png_bytes(pixels, size=SIZE):
    """pixels: rows of grey values 0..255 -> the bytes of an 8-bit grey PNG."""
    raw = b"".join(b"\0" + bytes(row) for row in pixels)

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 6))
            + chunk(b"IEND", b""))


def centre(side, zone, rng):
    """Where a finding lies. The right lung is on the left of the picture, as on a film."""
    x = 0.27 if side == "right" else 0.73
    y = {"upper": 0.25, "middle": 0.5, "lower": 0.75}[zone]
    return (x + rng.uniform(-0.04, 0.04)) * SIZE, (y + rng.uniform(-0.03, 0.03)) * SIZE


def lung_field(x, y):
    """1 inside the lungs, falling to 0 outside."""
    depth = 0.0
    for cx in (0.27, 0.73):
        dx, dy = (x / SIZE - cx) / 0.19, (y / SIZE - 0.5) / 0.42
        depth = max(depth, 1.0 - (dx * dx + dy * dy))
    return max(0.0, min(1.0, depth * 4))


def finding_light(kind, extent, dx, dy):
    """Brightness that a finding adds at (dx, dy) pixels from its centre."""
    reach = 4.0 if extent == "small" else 8.0
    distance = math.hypot(dx, dy)
    if kind == "nodule":
        return 150 if distance < reach * 0.8 else 0
    if kind == "opacity":
        return 110 * max(0.0, 1 - (distance / (reach * 1.4)) ** 2)
    if kind == "cavity":
        return 150 if reach * 0.65 < distance < reach * 1.05 else 0
    return 150 if abs(dy) < 1.5 and abs(dx) < reach * 1.3 else 0


def draw(finding, rng):
    """finding: (kind, side, zone, extent) or None -> the bytes of a PNG."""
    place = centre(finding[1], finding[2], rng) if finding else None
    rows = []
    for y in range(SIZE):
        row = []
        for x in range(SIZE):
            value = 150 - 110 * lung_field(x, y) + rng.gauss(0, 8)
            if finding:
                value += finding_light(finding[0], finding[3], x - place[0], y - place[1])
            row.append(max(0, min(255, int(value))))
        rows.append(row)
    return png_bytes(rows)


def any_finding(rng):
    if rng.random() < 0.1:
        return None
    return (rng.choice(KINDS), rng.choice(SIDES), rng.choice(ZONES), rng.choice(EXTENTS))


def label(finding):
    """What the base model learns: terse words, one picture, one line."""
    if finding is None:
        return "clear"
    kind, side, zone, extent = finding
    return f"{kind} {side} {zone} {extent}"


def sentence(finding, language):
    """The finding as a radiologist would say it."""
    if language == "en":
        if finding is None:
            return "Both lungs are clear."
        kind, side, zone, extent = finding
        return f"{extent.capitalize()} {kind} in the {side} {zone} zone."
    if finding is None:
        return "双肺清晰。"
    kind, side, zone, extent = finding
    return f"{ZH[side]}肺{ZH[zone]}野见{ZH[extent]}{ZH[kind]}。"


def report(finding, language):
    """What the adapter learns: a question about the film, answered in a whole sentence."""
    question = "What does this film show?" if language == "en" else "这张片子有什么发现？"
    return question, sentence(finding, language)


def base_rows(finding, name, turn):
    """What the base learns: to name what it sees, and to put given words into sentences."""
    rows = [{"image_path": name, "question": "label", "output": label(finding)}]
    if turn % 4 == 0:  # seeing is harder to learn than saying
        language = ("en", "zh")[turn // 4 % 2]
        rows.append({"image_path": name, "question": f"say {language}: {label(finding)}",
                     "output": sentence(finding, language)})
    return rows


def write_base(folder, films, seed):
    """Rows for the base model, five for four films: folder/base.jsonl and folder/images/base-*.png."""
    turns = itertools.count()
    return _write(folder, "base", films, random.Random(seed),
                  lambda finding, name: base_rows(finding, name, next(turns)))


def write_reports(folder, films, seed):
    """Question rows for the adapter, English and Chinese alternating."""
    languages = itertools.cycle(("en", "zh"))

    def make(finding, name):
        question, answer = report(finding, next(languages))
        return [{"image": name, "query": question, "response": answer}]

    return _write(folder, "film", films, random.Random(seed), make)


def _write(folder, stem, count, rng, make):
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.jsonl"
    with open(path, "w", encoding="utf-8") as out:
        for index in range(count):
            finding = any_finding(rng)
            name = f"images/{stem}-{index:04d}.png"
            (folder / name).write_bytes(draw(finding, rng))
            for row in make(finding, name):
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def corpus(seed, count):
    """Texts that the tokenizer is trained on: the words of both sets."""
    rng = random.Random(seed)
    for turn in range(count):
        finding = any_finding(rng)
        for row in base_rows(finding, "", turn):
            yield row["question"]
            yield row["output"]
        for language in ("en", "zh"):
            yield from report(finding, language)
