// Names and what they stand for, as an object: the files of an upload, the media of a version.
// Sorted by name (bytes), so that a name is found by bisection without reading the rest: a million
// files cost no row of a database each. What a bisection has seen is kept, so that the next one
// reads less. Called by hub, ingest and engine. docs/formats/dataset.md
// has the bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/domain.h"

namespace mortise::store {

struct NamedObject {
  std::string name;
  ObjectRef ref;
};

class NameTableWriter {  // [serial]
 public:
  explicit NameTableWriter(std::shared_ptr<Domain> domain) : domain_(std::move(domain)) {}
  // In the order of the names. Errors: INVALID_ARGUMENT for a name that does not come after the
  // last one.
  base::Status add(std::string_view name, const ObjectRef& ref);
  base::Result<ObjectRef> finish();  // not durable before Domain::sync
  uint64_t count() const { return count_; }
  uint64_t content_bytes() const { return content_bytes_; }  // of the objects named

 private:
  base::Status spill();

  std::shared_ptr<Domain> domain_;
  std::string entries_, names_, last_;  // what is not written yet; the last name
  std::optional<ObjectWriter> entry_writer_, name_writer_;  // of a table that is not small
  uint64_t count_ = 0, names_size_ = 0, content_bytes_ = 0;
};

// A table of entries in any order; where several name the same, the last wins.
struct NamesWritten {
  ObjectRef ref;
  uint64_t count = 0, content_bytes = 0;
};
base::Result<NamesWritten> write_names(std::shared_ptr<Domain> domain,
                                       std::vector<NamedObject> entries);

class NameTable {  // [parallel]
 public:
  // Errors: NOT_FOUND, DATA_LOSS (also for an object that is no such table).
  static base::Result<NameTable> open(std::shared_ptr<Domain> domain, const ObjectRef& ref);

  uint64_t count() const { return count_; }
  base::Result<NamedObject> at(uint64_t index) const;  // OUT_OF_RANGE
  base::Result<std::optional<ObjectRef>> find(std::string_view name) const;
  // The index of the first name that comes after `name` ("" : 0).
  base::Result<uint64_t> after(std::string_view name) const;
  // Up to `count` entries from `first` on.
  base::Result<std::vector<NamedObject>> entries(uint64_t first, uint64_t count) const;
  base::Status visit(const std::function<base::Status(const NamedObject&)>& each) const;

 private:
  struct Recent;  // names that begin blocks, and the last blocks that were read
  using Block = std::vector<NamedObject>;

  NameTable(std::shared_ptr<Domain> domain, ObjectReader reader);
  base::Result<std::string> first_name(uint64_t block) const;
  base::Result<std::shared_ptr<const Block>> read_block(uint64_t block) const;
  base::Result<uint64_t> lower_bound(std::string_view name) const;

  std::shared_ptr<Domain> domain_;
  std::shared_ptr<const ObjectReader> reader_;  // shared by copies, as what follows
  std::shared_ptr<Recent> recent_;
  uint64_t count_ = 0, names_size_ = 0;
};

// The entries of all tables as one; where several name the same, the last of them wins. A block of
// each is in memory at a time. Errors: as reading and writing.
base::Result<ObjectRef> merge_names(std::shared_ptr<Domain> domain,
                                    const std::vector<NameTable>& tables);

}  // namespace mortise::store
