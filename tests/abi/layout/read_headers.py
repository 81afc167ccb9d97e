"""Reads the C headers of the SDK: structs, members, slots with their thread tags, constants, ids.

Called by make_abi.py. The headers are regular (one declaration a statement, no nested structs), so a
small reader is enough; what it does not understand it refuses. Knows nothing of sizes: a compiler
says those.
"""
import pathlib
import re

TAG = re.compile(r"\[(any|serial|parallel|init)\]")
SINCE = re.compile(r"\[since (\d+)\]")
STRUCT = re.compile(r"(?:typedef\s+)?struct\s*(\w*)\s*\{(.*?)\n\}\s*(\w*)\s*;", re.S)
SLOT = re.compile(r"\(\*\s*(\w+)\)\s*\(")


def statements(body):
    """Splits a struct's body into (comment before, declaration, comment after on the same line)."""
    result, before, text, at, depth = [], "", "", 0, 0
    while at < len(body):
        if body.startswith("/*", at):
            end = body.index("*/", at) + 2
            comment = body[at:end]
            on_line_of_last = result and not text.strip() and "\n" not in body[result[-1][3]:at]
            if depth == 0 and on_line_of_last:
                result[-1][2] = comment
            elif depth == 0:
                before = comment
            at = end
            continue
        char = body[at]
        depth += (char == "(") - (char == ")")
        if char == ";" and depth == 0:
            result.append([before, " ".join(text.split()), "", at + 1])
            before, text = "", ""
        else:
            text += char
        at += 1
    if text.strip():
        raise SystemExit(f"a struct ends in {text.strip()!r}, which is no declaration")
    return [item[:3] for item in result]


def members_of(body):
    members = []
    for before, declaration, after in statements(body):
        words = before + after
        since = int(SINCE.search(words).group(1)) if SINCE.search(words) else 0
        slot = SLOT.search(declaration)
        if slot:
            tags = TAG.findall(before) or TAG.findall(after)
            members.append({"name": slot.group(1), "type": declaration, "since_minor": since,
                            "thread": tags[-1] if tags else None})
            continue
        first, *more = declaration.split(",")
        match = re.fullmatch(r"(.*?)(\w+)(\[\w+\])?", first.strip())
        kind = match.group(1).strip()
        for name, size in [(match.group(2), match.group(3) or "")] + [(m.strip(), "") for m in more]:
            members.append({"name": name, "type": kind + size, "since_minor": since})
    return members


def read(include):
    """All C headers below include/mortise, without cpp/: {structs, interfaces, constants}."""
    root = pathlib.Path(include) / "mortise"
    model = {"structs": [], "interfaces": [], "constants": {}}
    for path in sorted(root.rglob("*.h")):
        header = path.relative_to(root.parent).as_posix()
        text = path.read_text()
        is_draft = "/draft/" in header
        for tag, body, name in STRUCT.findall(text):
            model["structs"].append({"name": name or tag, "is_typedef": bool(name),
                                     "header": header, "draft": is_draft,
                                     "members": members_of(body)})
        for macro, value in re.findall(r'#define (MORTISE_\w+) "([a-z_.]+/\d+)"', text):
            model["interfaces"].append({"id": value, "macro": macro, "header": header,
                                        "draft": is_draft})
        for macro, value in re.findall(r"#define (MORTISE_\w+) U?INT\d+_C\((-?\w+)\)", text):
            model["constants"][macro] = int(value, 0)
    return model


def type_name(struct):
    """How C names it: ArrowSchema has no typedef."""
    return struct["name"] if struct["is_typedef"] or struct["name"].startswith("mortise_") \
        else "struct " + struct["name"]
