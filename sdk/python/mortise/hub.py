"""Data sets: upload, list, read."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Iterable, Mapping

from .errors import MortiseError
from .server import Server, quote

_SMALL_BYTES = 1 << 20
_BUNDLE_FROM = 16  # fewer files than this are not worth a bundle


class DatasetHub:
    """The data sets of a server."""

    def __init__(self, server: Server | None = None) -> None:
        self.server = server or Server()

    def upload(self, name: str, path: str | os.PathLike[str], task_type: str,
               modalities: Iterable[str] = (), description: str = "",
               labels: Mapping[str, str] | None = None, media: str | os.PathLike[str] | None = None,
               map: Mapping[str, str] | None = None, max_bad_rows: int = 0, patch: bool = False,
               draft: bool = False) -> str:
        """Uploads, checks and versions a data set; returns its reference, "name@1".

        path: a folder, sent whole, or a file of rows, sent with what lies in `media` and with the
        files beside it that its rows name. Raises MortiseError whose problem holds "report" with
        the findings when rows are bad; nothing is stored then.
        """
        files, rows_name = _files_of(Path(path), Path(media) if media else None)
        options = {"name": name, "task_type": task_type, "modalities": list(modalities),
                   "description": description, "labels": dict(labels or {}), "map": dict(map or {}),
                   "max_bad_rows": max_bad_rows, "patch": patch, "draft": draft}
        if rows_name:
            options["rows"] = rows_name
        upload = self.server.post("/api/v1/uploads", options)
        place = f"/api/v1/uploads/{upload['id']}"
        self._send(upload["id"], files)
        try:
            return self._check(place)
        except MortiseError as failure:
            more = _beside(Path(path), failure.problem.get("report") or {}) if rows_name else []
            if not more:
                raise
        self._send(upload["id"], more)
        return self._check(place)

    def _check(self, place: str) -> str:
        """Runs the check to its end; the reference of the version."""
        job = self.server.post(place + "/commit")
        try:
            self.server.wait(job["id"])
        except MortiseError as failure:
            result = self.server.get(place).get("result") or {}
            raise MortiseError({**failure.problem, "report": result.get("report")}) from None
        return str(self.server.get(place)["result"]["reference"])

    def _send(self, upload: str, files: list[tuple[str, Path]]) -> None:
        """Many small files travel as one tar stream, a few large ones by themselves."""
        small = [(name, file) for name, file in files if file.stat().st_size <= _SMALL_BYTES]
        if len(small) < _BUNDLE_FROM:
            small = []
        bundled = {name for name, _ in small}
        for name, file in files:
            if name not in bundled:
                self.server.send_file(file, upload=upload, filename=name)
        if not small:
            return
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundle.tar"
            with tarfile.open(bundle, "w", format=tarfile.PAX_FORMAT) as tar:
                for name, file in small:
                    tar.add(file, arcname=name, recursive=False)
            self.server.send_file(bundle, upload=upload, bundle="tar")

    def list(self, query: str | None = None) -> list[dict[str, Any]]:
        """All data sets, or those whose name, description or labels hold the words."""
        return list(self.server.items("/api/v1/datasets", q=query))

    def show(self, reference: str) -> dict[str, Any]:
        return dict(self.server.get(f"/api/v1/datasets/{quote(reference)}"))

    def rows(self, reference: str, offset: int = 0, limit: int = 50) -> list[dict[str, Any]]:
        page = self.server.get(f"/api/v1/datasets/{quote(reference)}/rows", offset=offset,
                               limit=limit)
        return list(page["items"])

    def delete(self, reference: str) -> None:
        self.server.request("DELETE", f"/api/v1/datasets/{quote(reference)}")


def _beside(rows: Path, report: Mapping[str, Any]) -> list[tuple[str, Path]]:
    """What the rows name, the upload lacks and lies below the folder of the rows file."""
    folder = rows.resolve().parent
    found = [(name, (folder / name).resolve()) for name in report.get("missing_media", [])]
    return [(name, file) for name, file in found if folder in file.parents and file.is_file()]


def _files_of(path: Path, media: Path | None) -> tuple[list[tuple[str, Path]], str | None]:
    """Every file to send under its name in the upload, and the name of the rows file if known."""
    if path.is_dir():
        found = [(str(file.relative_to(path)), file) for file in sorted(path.rglob("*"))
                 if file.is_file()]
        rows_name = None
    else:
        found, rows_name = [(path.name, path)], path.name
    if media:
        found += [(str(file.relative_to(media)), file) for file in sorted(media.rglob("*"))
                  if file.is_file() and file.resolve() != path.resolve()]
    return found, rows_name
