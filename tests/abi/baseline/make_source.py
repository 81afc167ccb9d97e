"""Writes a C file with one function a struct of the SDK, so that a debugger sees every layout.

    make_source.py LAYOUT_FOLDER INCLUDE_FOLDER OUTPUT

Called by the build; the library made from it is what abidw describes.
"""
import pathlib
import sys

sys.path.insert(0, sys.argv[1])
import read_headers  # noqa: E402

model = read_headers.read(sys.argv[2])
lines = [f"#include <{header}>" for header in sorted({s["header"] for s in model["structs"]})]
for struct in model["structs"]:
    if struct["draft"]:
        continue
    name = read_headers.type_name(struct)
    function = "take_" + struct["name"]
    lines.append(f"MORTISE_EXPORT void {function}(const {name}* one);")
    lines.append(f"void {function}(const {name}* one) {{ (void)one; }}")
pathlib.Path(sys.argv[3]).write_text("\n".join(lines) + "\n")
