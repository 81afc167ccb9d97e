"""Data sets: upload, list, read."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence

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
               labels: Mapping[str, str | float | bool] | None = None, media: str | os.PathLike[str] | None = None,
               map: Mapping[str, str] | None = None, max_bad_rows: int = 0, patch: bool = False,
               draft: bool = False, tokenizer: str = "", max_length: int = 0, format: str = "",
               format_config: Mapping[str, Any] | None = None) -> str:
        """Uploads, checks and versions a data set; returns its reference, "name@1".

        path: a folder, sent whole, or a file of rows, sent with what lies in `media` and with the
        files beside it that its rows name. tokenizer: a stored model whose tokenizer counts the
        tokens of each row; rows of more than max_length are named in the report. format: the id of
        the format of the rows ("mortise.format_csv"), with its configuration; else the surest.
        Raises MortiseError whose problem holds "report" with the findings when rows are bad;
        nothing is stored then.
        """
        files, rows_name = _files_of(Path(path), Path(media) if media else None)
        options = {"name": name, "task_type": task_type, "modalities": list(modalities),
                   "description": description, "labels": dict(labels or {}), "map": dict(map or {}),
                   "max_bad_rows": max_bad_rows, "patch": patch, "draft": draft,
                   **_format(format, format_config)}
        if tokenizer:
            options["tokenizer"] = tokenizer
        if max_length:
            options["max_length"] = max_length
        return self._upload(options, Path(path), files, rows_name)

    def append(self, reference: str, path: str | os.PathLike[str],
               media: str | os.PathLike[str] | None = None, map: Mapping[str, str] | None = None,
               draft: bool = False, max_bad_rows: int = 0, patch: bool = False, format: str = "",
               format_config: Mapping[str, Any] | None = None) -> str:
        """Adds rows to a version; returns the new one, "name@2".

        reference: a name (its newest version, which it must still be in the end) or a version to
        branch off from. The others, and errors: as upload.
        """
        files, rows_name = _files_of(Path(path), Path(media) if media else None)
        name, _, version = reference.partition("@")
        options: dict[str, Any] = {"name": name, "change": "append", "map": dict(map or {}),
                                   "max_bad_rows": max_bad_rows, "patch": patch, "draft": draft,
                                   **_format(format, format_config)}
        if version:
            options["parent"] = reference
        return self._upload(options, Path(path), files, rows_name)

    def edit(self, reference: str, edits: Iterable[Mapping[str, Any]], draft: bool = False) -> str:
        """Changes rows by their ids; returns the new version.

        edits: {"id", and one of "row": a canonical row, "patch": RFC 6902, "delete": True}.
        """
        return self._change(reference, list(edits), draft)[0]

    def delete_rows(self, reference: str, ids: Iterable[str]) -> tuple[str, list[dict[str, Any]]]:
        """A version without these rows, and for each the versions, jobs, models and endpoints that
        saw it: they are as they were."""
        return self._change(reference, [{"id": one, "delete": True} for one in ids], False)

    def _change(self, reference: str, edits: list[Mapping[str, Any]],
                draft: bool) -> tuple[str, list[dict[str, Any]]]:
        name, _, version = reference.partition("@")
        body: dict[str, Any] = {"edits": edits, "draft": draft}
        if version:
            body["parent"] = reference
        started = self.server.post(f"/api/v1/datasets/{quote(name)}/versions", body)
        job = self.server.wait(started["job"]["id"])
        return str(job["progress"]["reference"]), list(started["seen_by"])

    def _upload(self, options: dict[str, Any], path: Path, files: list[tuple[str, Path]],
                rows_name: str | None) -> str:
        if rows_name:
            options["rows"] = rows_name
        upload = self.server.post("/api/v1/uploads", options)
        place = f"/api/v1/uploads/{upload['id']}"
        self._send(upload["id"], files)
        try:
            return self._check(place)
        except MortiseError as failure:
            more = _beside(path, failure.problem.get("report") or {}) if rows_name else []
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

    def list(self, query: str | None = None, labels: Iterable[str] = ()) -> list[dict[str, Any]]:
        """All data sets, or those whose name, description or labels hold the words.

        labels: filters, "language=zh", "year>=2020", "taken<2024-05-01", "site!=b".
        """
        return [*self.server.items("/api/v1/datasets", q=query, label=[*labels])]

    def facets(self, query: str | None = None, labels: Iterable[str] = ()) -> dict[str, Any]:
        """Counts of what `list` finds: its task types, and the values or range of each label."""
        page = self.server.get("/api/v1/datasets", q=query, label=[*labels], facets="true", limit=1)
        return dict(page["facets"])

    def versions(self, name: str) -> Sequence[dict[str, Any]]:
        """All versions, newest first, deleted ones too."""
        return [*self.server.items(f"/api/v1/datasets/{quote(name)}/versions")]

    def tag(self, reference: str, tag: str) -> None:
        """Lets "name@tag" mean this version from now on."""
        name, _, _ = reference.partition("@")
        shown = self.show(reference)
        version = (shown.get("newest") or shown)["version"]
        self.server.request("PATCH", f"/api/v1/datasets/{quote(name)}", {"tags": {tag: version}})

    def diff(self, reference: str, to: str, key: str | None = None) -> Iterator[dict[str, Any]]:
        """What differs from one version to another, one by one, the summary last.

        key: the field by which rows pair; without it they pair by place.
        """
        return self.server.lines(f"/api/v1/datasets/{quote(reference)}/diff", to=to, key=key)

    def lineage(self, reference: str, row: str | None = None) -> dict[str, Any]:
        """What a version (or a row, by its id) came from, and what came of it."""
        return dict(self.server.get(f"/api/v1/datasets/{quote(reference)}/lineage", row=row))

    def show(self, reference: str) -> dict[str, Any]:
        return dict(self.server.get(f"/api/v1/datasets/{quote(reference)}"))

    def rows(self, reference: str, offset: int = 0, limit: int = 50, split: str | None = None,
             ratio: float | None = None, seed: int | None = None, grep: str | None = None,
             where: Iterable[str] = ()) -> Sequence[dict[str, Any]]:
        """Rows from offset on, or those of them that the filter takes.

        split: "train" or "held_out" of a holdout {ratio, seed}. where: "output=yes", "score>=0.5".
        """
        page = self.server.get(f"/api/v1/datasets/{quote(reference)}/rows", offset=offset,
                               limit=limit, split=split, ratio=ratio, seed=seed, grep=grep,
                               where=[*where])
        return [*page["items"]]

    def search_rows(self, reference: str, grep: str | None = None, where: Iterable[str] = (),
                    split: str | None = None, ratio: float | None = None, seed: int | None = None,
                    limit: int = 10_000) -> tuple[Sequence[dict[str, Any]], bool]:
        """What a filter takes of all rows, found by a job: [{row_number, id, row}, ...], and
        whether more than `limit` rows match."""
        wanted = {"grep": grep, "where": [*where], "split": split, "ratio": ratio, "seed": seed,
                  "limit": limit}
        started = self.server.post(f"/api/v1/datasets/{quote(reference)}/search",
                                   {key: value for key, value in wanted.items()
                                    if value is not None})
        job = self.server.wait(started["id"])
        found = self.server.lines(f"/api/v1/jobs/{job['id']}/artifacts/matches.jsonl")
        return [*found], bool(job["record"]["search"]["has_more"])

    def row_ids(self, reference: str, offset: int = 0, limit: int = 50) -> Sequence[str]:
        """The ids of rows, which edits name; the same row has the same id in every version."""
        page = self.server.get(f"/api/v1/datasets/{quote(reference)}/rows", offset=offset,
                               limit=limit)
        return [*page["ids"]]

    def delete(self, reference: str) -> None:
        self.server.request("DELETE", f"/api/v1/datasets/{quote(reference)}")


def _format(plugin: str, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The option "format" of an upload, or none. Raises ValueError for a configuration of none."""
    if plugin:
        return {"format": {"id": plugin, "config": dict(config or {})}}
    if config:
        raise ValueError("format_config is of a format that is named: give format too")
    return {}


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
