// The tables, as a list of migrations: step n brings a database from user_version n-1 to n. A step
// that was released is never edited. Read by database.cpp only. Columns that end in _ref hold
// store::to_text(ObjectRef) of an object in the domain beside them; '' is none.
#pragma once

#include <array>

namespace mortise::hub {

inline constexpr std::array<const char*, 3> kMigrations = {
    R"sql(
CREATE TABLE domains (
  name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_ns INTEGER NOT NULL) STRICT;
CREATE TABLE datasets (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL,
  labels TEXT NOT NULL, task_type TEXT NOT NULL, created_ns INTEGER NOT NULL) STRICT;
CREATE TABLE versions (
  id TEXT PRIMARY KEY, dataset_id TEXT NOT NULL REFERENCES datasets(id), number INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('draft', 'released', 'withdrawn', 'deleted', 'shredded')),
  manifest TEXT NOT NULL, digest TEXT NOT NULL, row_count INTEGER NOT NULL,
  media_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL, domain TEXT NOT NULL,
  rows_ref TEXT NOT NULL, media_ref TEXT NOT NULL, originals_ref TEXT NOT NULL,
  report_ref TEXT NOT NULL, job_id TEXT NOT NULL, created_ns INTEGER NOT NULL,
  parent_id TEXT NOT NULL, UNIQUE (dataset_id, number)) STRICT;
CREATE INDEX versions_by_parent ON versions (parent_id);
CREATE TABLE version_tags (
  dataset_id TEXT NOT NULL REFERENCES datasets(id), tag TEXT NOT NULL, number INTEGER NOT NULL,
  moved_ns INTEGER NOT NULL, PRIMARY KEY (dataset_id, tag)) STRICT;
CREATE TABLE dataset_labels (
  dataset_id TEXT NOT NULL REFERENCES datasets(id), name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('text', 'number', 'date', 'bool')), text TEXT NOT NULL,
  number REAL NOT NULL, PRIMARY KEY (dataset_id, name)) STRICT;
CREATE TABLE dataset_words (
  dataset_id TEXT NOT NULL REFERENCES datasets(id), word TEXT NOT NULL,
  PRIMARY KEY (dataset_id, word)) STRICT;
CREATE TABLE shreds (
  domain TEXT PRIMARY KEY, dataset TEXT NOT NULL, certificate TEXT NOT NULL,
  begun_ns INTEGER NOT NULL) STRICT;
CREATE TABLE uploads (
  id TEXT PRIMARY KEY, name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'checking', 'committed', 'failed', 'removed')),
  options TEXT NOT NULL, job_id TEXT NOT NULL, result TEXT NOT NULL, domain TEXT NOT NULL,
  files_ref TEXT NOT NULL, report_ref TEXT NOT NULL, created_ns INTEGER NOT NULL) STRICT;
CREATE TABLE upload_files (
  upload_id TEXT NOT NULL REFERENCES uploads(id), name TEXT NOT NULL, file_ref TEXT NOT NULL,
  size_bytes INTEGER NOT NULL, PRIMARY KEY (upload_id, name)) STRICT, WITHOUT ROWID;
CREATE TABLE upload_tables (
  upload_id TEXT NOT NULL REFERENCES uploads(id), number INTEGER NOT NULL, files_ref TEXT NOT NULL,
  files_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL, PRIMARY KEY (upload_id, number))
  STRICT, WITHOUT ROWID;
CREATE TABLE transfers (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, upload_id TEXT NOT NULL, domain TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('file', 'bundle', 'partial', 'assembly')),
  state TEXT NOT NULL CHECK (state IN ('open', 'complete', 'removed', 'expired')),
  name TEXT NOT NULL, purpose TEXT NOT NULL, parent TEXT NOT NULL, sha256 TEXT NOT NULL,
  metadata TEXT NOT NULL, concat TEXT NOT NULL, size_bytes INTEGER NOT NULL, offset_bytes INTEGER NOT NULL,
  file_ref TEXT NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL) STRICT;
CREATE INDEX transfers_by_state ON transfers (state, expires_ns);
CREATE TABLE transfer_parts (
  transfer_id TEXT NOT NULL REFERENCES transfers(id), begin_bytes INTEGER NOT NULL,
  part_ref TEXT NOT NULL, PRIMARY KEY (transfer_id, begin_bytes)) STRICT, WITHOUT ROWID;
CREATE TABLE models (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('model', 'adapter')), base TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ready', 'deleted')), folder TEXT NOT NULL,
  files TEXT NOT NULL, description TEXT NOT NULL, job_id TEXT NOT NULL,
  created_ns INTEGER NOT NULL, UNIQUE (name, number)) STRICT;
CREATE TABLE jobs (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN
    ('queued', 'running', 'done', 'failed', 'cancelled')),
  attempt INTEGER NOT NULL, priority INTEGER NOT NULL, manifest TEXT NOT NULL,
  parent TEXT NOT NULL, cancel_wanted INTEGER NOT NULL, resume_from TEXT NOT NULL,
  pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, boot_id TEXT NOT NULL,
  progress TEXT NOT NULL, error TEXT NOT NULL, record TEXT NOT NULL,
  created_ns INTEGER NOT NULL, started_ns INTEGER NOT NULL, finished_ns INTEGER NOT NULL) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, priority, created_ns);
CREATE TABLE job_inputs (
  job_id TEXT NOT NULL REFERENCES jobs(id), kind TEXT NOT NULL CHECK (kind IN ('dataset', 'model')),
  input_id TEXT NOT NULL, PRIMARY KEY (job_id, kind, input_id)) STRICT;
CREATE INDEX job_inputs_by_input ON job_inputs (input_id, job_id);
CREATE TABLE job_events (
  id INTEGER PRIMARY KEY, job_id TEXT NOT NULL REFERENCES jobs(id), at_ns INTEGER NOT NULL,
  from_state TEXT NOT NULL, to_state TEXT NOT NULL, attempt INTEGER NOT NULL,
  reason TEXT NOT NULL) STRICT;
CREATE INDEX events_by_job ON job_events (job_id, id);
CREATE TABLE artifacts (
  job_id TEXT NOT NULL REFERENCES jobs(id), name TEXT NOT NULL, path TEXT NOT NULL,
  sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL, PRIMARY KEY (job_id, name))
  STRICT, WITHOUT ROWID;
CREATE TABLE endpoints (
  name TEXT PRIMARY KEY, job_id TEXT NOT NULL REFERENCES jobs(id), model TEXT NOT NULL,
  adapters TEXT NOT NULL, created_ns INTEGER NOT NULL) STRICT;
)sql",
    // The domain that a model's files are sealed in; '' for readable ones.
    R"sql(
ALTER TABLE models ADD COLUMN domain TEXT NOT NULL DEFAULT '';
)sql",
    // A model lies in HOME/models/ID wherever the home lies: no path of this machine is stored.
    R"sql(
ALTER TABLE models DROP COLUMN folder;
)sql",
};

}  // namespace mortise::hub
