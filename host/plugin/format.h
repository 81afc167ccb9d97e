// A dataset format in C++ terms: probe, open, describe, and a stream of batches that can stop at
// any batch and go on later. Called by ingest, by `dataset check` and by the data path of the
// engine.
#pragma once

#include <mortise/kind/format.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plugin/arrow_rows.h"
#include "plugin/media_cells.h"
#include "plugin/plugin.h"

namespace mortise::plugin {

struct FormatSample {
  std::string name;  // relative
  std::string head;  // at most 64 KiB from the start of the file
  uint64_t size_bytes = 0;
};

struct ProbeAnswer {
  uint32_t score = 0;  // 0 .. 100
  std::string reason;
};
base::Result<ProbeAnswer> probe(const Plugin& plugin, const FormatSample& sample);

struct ScanOptions {
  std::vector<std::string> columns;  // empty: all
  uint32_t shard_index = 0;
  std::string cursor;  // from FormatStream::cursor; empty: from the start
  uint64_t batch_rows_max = 0, batch_bytes_max = 0;  // 0: the plugin chooses
};

// One row that came without a fixed schema, or was made from columns.
struct FormatRow {
  std::string json;               // one JSON object, exactly as the plugin gave it
  int64_t byte_offset = -1;       // from the start of its file; -1 when the format does not tell
  std::vector<MediaField> media;  // what came inside the file; see kind/format.h
  std::shared_ptr<const OwnedArray> batch;  // keeps the bytes of media alive; null without media
};

class FormatStream;

class Format {
 public:
  // uris: names that HostServices grants, in order. Errors: NOT_FOUND; INVALID_ARGUMENT naming file
  // and byte; RESOURCE_EXHAUSTED.
  static base::Result<Format> open(std::shared_ptr<Plugin> plugin,
                                   const std::vector<std::string>& uris, const base::Json& config);

  const Column& schema() const;
  int64_t row_count_hint() const;  // -1 when unknown
  uint32_t shards_count() const;
  // Different shards may be read at once; one stream is [serial].
  base::Result<FormatStream> scan(const ScanOptions& options = {}) const;

  struct State;

 private:
  explicit Format(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;  // shared: streams must be released before the instance closes
};

class FormatStream {  // [serial]
 public:
  // The next batch as a checked struct array, or nothing at the end. Errors: the plugin's own, with
  // file, row and byte; DATA_LOSS when the array breaks the schema. After an error the stream ends.
  base::Result<std::optional<OwnedArray>> next();
  // The next batch as rows; nothing at the end. A schema {row: utf8, byte_offset: int64}, with
  // columns of media beside it, is taken as it is; any other columns become one JSON object a row.
  // Errors: as next; DATA_LOSS naming the column for a medium without bytes and range.
  base::Result<std::optional<std::vector<FormatRow>>> next_rows();
  // Where the stream stands after its last batch.
  base::Result<std::string> cursor();
  const Column& schema() const;  // of the projection

  FormatStream(FormatStream&&) noexcept;
  FormatStream& operator=(FormatStream&&) noexcept;
  ~FormatStream();

 private:
  friend class Format;
  FormatStream() = default;
  base::Error stream_error(int code);
  void end();

  std::shared_ptr<Format::State> owner_;
  std::unique_ptr<ArrowArrayStream> stream_;  // at a fixed address: cursor() names it by pointer
  Column schema_;
  bool is_ended_ = false;
};

}  // namespace mortise::plugin
