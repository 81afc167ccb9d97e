// The rows of a version as objects: canonical JSON rows in groups of at most 1 MiB, and a table
// that says which group holds which row and how each row is called. A row is one read of its group.
// Written by ingest (worker) and by edits (hub), read by server, engine and export. Knows nothing
// of tasks or fields. docs/formats/dataset.md has the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/domain.h"
#include "store/domain_key.h"

namespace mortise::store {

// The first 16 bytes of HMAC-SHA-256(key "row id" of the domain, canonical row): the same row has
// the same id in every version of a data set, and an id says nothing outside it.
using RowId = std::array<std::byte, 16>;
std::string to_text(const RowId& id);  // "row:" and 32 hex digits
base::Result<RowId> parse_row_id(std::string_view text);

class RowHash {  // [parallel]
 public:
  explicit RowHash(const DomainKey& key);
  RowId of(std::string_view canonical_row) const;

 private:
  base::HmacSha256 hash_;
};

struct RowGroup {
  ObjectRef ref;
  uint64_t first_row = 0;
  uint32_t row_count = 0;
};

class RowTableWriter {  // [serial]
 public:
  RowTableWriter(std::shared_ptr<Domain> domain, const DomainKey& key);
  // row: canonical JSON without a newline, at most 64 MiB. Errors: as ObjectWriter.
  base::Status add(std::string_view row);
  // Takes a whole group of another table of this domain as it is; ids: one a row.
  base::Status add_group(const RowGroup& group, const std::vector<RowId>& ids);
  // Not durable before Domain::sync.
  base::Result<ObjectRef> finish();
  uint64_t row_count() const { return ids_.size(); }

 private:
  base::Status flush();
  std::shared_ptr<Domain> domain_;
  RowHash hash_;
  std::string group_;
  uint32_t group_rows_ = 0;
  std::vector<RowGroup> groups_;
  std::vector<RowId> ids_;
};

class RowTable {  // [parallel]
 public:
  // Errors: NOT_FOUND, DATA_LOSS (also for an object that is no such table).
  static base::Result<RowTable> open(std::shared_ptr<Domain> domain, const ObjectRef& ref);

  uint64_t row_count() const { return row_count_; }
  const std::vector<RowGroup>& groups() const { return groups_; }
  // The row from 0, without its newline. Errors: OUT_OF_RANGE, DATA_LOSS.
  base::Result<std::string> row(uint64_t index) const;
  // Ids of `count` rows from `first`; fewer only at the end.
  base::Result<std::vector<RowId>> ids(uint64_t first, uint64_t count) const;
  // Rows [first, first + count) in order, a group in memory at a time.
  base::Status visit(uint64_t first, uint64_t count,
                     const std::function<base::Status(uint64_t, std::string_view)>& each) const;

 private:
  struct Lines {  // one group, read
    std::string text;
    std::vector<uint32_t> begins;  // and the end
    std::string_view at(size_t index) const;
  };
  struct Recent;  // the last groups that were read

  RowTable(std::shared_ptr<Domain> domain, ObjectReader reader);
  base::Result<std::shared_ptr<const Lines>> lines_of(size_t group) const;
  size_t group_of(uint64_t index) const;

  std::shared_ptr<Domain> domain_;
  std::shared_ptr<const ObjectReader> reader_;  // shared by copies
  uint64_t row_count_ = 0, ids_at_ = 0;
  std::vector<RowGroup> groups_;
  std::shared_ptr<Recent> recent_;
};

}  // namespace mortise::store
