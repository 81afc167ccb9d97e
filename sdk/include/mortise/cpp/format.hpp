// mortise/cpp/format.hpp: write a dataset format as a class.
//
// T derives from Format, is made as T(std::vector<std::string> uris, Json config) and has
//   static ProbeResult probe(const FormatSample&).
// format_table.hpp makes the C table format_table<T>(); it does streams, projection and the keeping
// of a stream's error. See kind/format.h for what each call means.
#ifndef MORTISE_CPP_FORMAT_HPP
#define MORTISE_CPP_FORMAT_HPP

#include <mortise/kind/format.h>
#include <mortise/cpp/arrow_build.hpp>

namespace mortise::sdk {

// The beginning of one file. name and head are valid during the call.
struct FormatSample {
  std::string_view name;
  std::string_view head;
  uint64_t size_bytes = 0;
};

struct ProbeResult {
  uint32_t score = 0;  // 0 (no) .. 100 (certain)
  std::string reason;  // one sentence for a person
};

struct FormatFacts {
  int64_t row_count_hint = -1;
  uint32_t shards_count = 1;
};

struct ScanOptions {
  std::vector<std::string> columns;  // empty: all; every name is a field of schema()
  uint32_t shard_index = 0;          // below shards_count
  std::string cursor;                // empty: from the start of the shard
  uint64_t batch_rows_max = 0;       // 0: choose
  uint64_t batch_bytes_max = 0;      // 0: choose
};

// One pass over a shard.
class FormatStream {
 public:
  virtual ~FormatStream() = default;
  // The next batch, a struct array of the schema, into *out; false at the end. Throws Failure with
  // file, row and byte; after that the stream has ended. [serial]
  virtual bool next(Array* out) = 0;
  // The position after the last batch, at most 4 KiB. [serial]
  virtual std::string cursor() const = 0;
};

class Format {
 public:
  virtual ~Format() = default;
  virtual Schema schema() const = 0;
  virtual FormatFacts describe() const = 0;
  // Throws DATA_LOSS for a cursor that is damaged or of other files. [parallel]
  virtual std::unique_ptr<FormatStream> scan(const ScanOptions& options) const = 0;
  // True when the batches of scan already have options.columns only, in that order; otherwise the
  // table drops the others.
  virtual bool projects() const { return false; }
};

}  // namespace mortise::sdk

#endif
