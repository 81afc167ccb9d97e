// See format.h.
#include "plugin/format.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "plugin/error_box.h"
#include "plugin/trace.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Result;

// A stream's functions are the plugin's and in no table, so they are traced here.
template <class F>
auto call_stream(const Plugin& plugin, const char* name, F call) {
  const TraceScope trace(
      trace_id(plugin.label(), std::string(MORTISE_KIND_DATASET_FORMAT " stream ") + name));
  return call();
}

bool is_offset_column(const Column& column) {
  return column.name == "byte_offset" && column.format == "l";
}

// {row, byte_offset?, media...}
bool is_row_schema(const Column& schema) {
  if (schema.children.empty() || schema.children[0].name != "row" ||
      (schema.children[0].format != "u" && schema.children[0].format != "U")) {
    return false;
  }
  const size_t first = schema.children.size() > 1 && is_offset_column(schema.children[1]) ? 2 : 1;
  return std::all_of(schema.children.begin() + static_cast<std::ptrdiff_t>(first),
                     schema.children.end(), is_media);
}

}  // namespace

Result<ProbeAnswer> probe(const Plugin& plugin, const FormatSample& sample) {
  MORTISE_ASSIGN(const auto* table,
                 plugin.get_interface<mortise_dataset_format>(MORTISE_KIND_DATASET_FORMAT));
  mortise_format_sample plain{};
  plain.struct_size = sizeof plain;
  plain.name = text_of(sample.name);
  plain.head = {reinterpret_cast<const uint8_t*>(sample.head.data()), sample.head.size()};
  plain.size_bytes = sample.size_bytes;
  const InputNote note(sample.name);
  ProbeAnswer answer;
  SinkBox reason(4096);
  ErrorBox error;
  MORTISE_TRY(error.check(table->probe(&plain, &answer.score, reason.get(), error.get())));
  if (answer.score > 100) {
    return Error(Code::kInternal,
                 "The format " + plugin.label() + " gave the score " +
                     std::to_string(answer.score) + ", which is over 100.",
                 "Report this to its vendor.");
  }
  answer.reason = reason.take();
  return answer;
}

struct Format::State {
  std::shared_ptr<Plugin> plugin;
  const mortise_dataset_format* table = nullptr;
  mortise_format_instance* instance = nullptr;
  Column schema;
  int64_t row_count_hint = -1;
  uint32_t shards_count = 1;
  std::string names;  // of the files, for the trace

  ~State() {
    if (instance != nullptr) table->close(instance);
  }
  Error broken(const std::string& text) const {
    return Error(Code::kInternal, "The format " + plugin->label() + " " + text,
                 "Report this to its vendor.");
  }
};

Result<Format> Format::open(std::shared_ptr<Plugin> plugin, const std::vector<std::string>& uris,
                            const base::Json& config) {
  auto state = std::make_shared<State>();
  MORTISE_ASSIGN(state->table,
                 plugin->get_interface<mortise_dataset_format>(MORTISE_KIND_DATASET_FORMAT));
  state->plugin = std::move(plugin);
  std::vector<mortise_text> names;
  for (const std::string& uri : uris) {
    names.push_back(text_of(uri));
    state->names += (state->names.empty() ? "" : ", ") + uri;
  }
  const std::string text = config.is_null() ? "{}" : config.dump();
  const InputNote note(state->names);
  ErrorBox error;
  MORTISE_TRY(error.check(state->table->open(names.data(), static_cast<uint32_t>(names.size()),
                                             text_of(text), &state->instance, error.get())));
  if (state->instance == nullptr) return state->broken("made no instance and said OK.");
  OwnedSchema schema;
  mortise_format_facts facts{};
  facts.struct_size = sizeof facts;
  MORTISE_TRY(
      error.check(state->table->describe(state->instance, schema.out(), &facts, error.get())));
  MORTISE_ASSIGN(state->schema, read_schema(*schema.get()));
  if (state->schema.format != "+s" || state->schema.children.empty()) {
    return state->broken("describes rows without columns (format \"" + state->schema.format +
                         "\").");
  }
  if (facts.shards_count == 0) return state->broken("says that it has 0 shards.");
  state->row_count_hint = facts.row_count_hint;
  state->shards_count = facts.shards_count;
  return Format(std::move(state));
}

const Column& Format::schema() const {
  return state_->schema;
}
int64_t Format::row_count_hint() const {
  return state_->row_count_hint;
}
uint32_t Format::shards_count() const {
  return state_->shards_count;
}

Result<FormatStream> Format::scan(const ScanOptions& options) const {
  std::vector<mortise_text> columns;
  for (const std::string& column : options.columns) columns.push_back(text_of(column));
  mortise_scan_options plain{};
  plain.struct_size = sizeof plain;
  plain.columns = columns.data();
  plain.columns_count = static_cast<uint32_t>(columns.size());
  plain.shard_index = options.shard_index;
  plain.cursor = {reinterpret_cast<const uint8_t*>(options.cursor.data()), options.cursor.size()};
  plain.batch_rows_max = options.batch_rows_max;
  plain.batch_bytes_max = options.batch_bytes_max;
  FormatStream stream;
  stream.owner_ = state_;
  stream.stream_ = std::make_unique<ArrowArrayStream>();
  const InputNote note(state_->names);
  ErrorBox error;
  MORTISE_TRY(error.check(
      state_->table->scan(state_->instance, &plain, stream.stream_.get(), error.get())));
  ArrowArrayStream* raw = stream.stream_.get();
  if (raw->release == nullptr || raw->get_next == nullptr || raw->get_schema == nullptr) {
    return state_->broken("gave a stream that lacks a function.");
  }
  OwnedSchema schema;
  const int code = call_stream(*state_->plugin, "get_schema",
                               [&] { return raw->get_schema(raw, schema.out()); });
  if (code != 0) return stream.stream_error(code);
  MORTISE_ASSIGN(stream.schema_, read_schema(*schema.get()));
  if (stream.schema_.format != "+s") return state_->broken("streams rows without columns.");
  for (const Column& column : stream.schema_.children) MORTISE_TRY(check_media_column(column));
  return stream;
}

Error FormatStream::stream_error(int code) {
  is_ended_ = true;
  ErrorBox error;
  const mortise_status status =
      owner_->table->stream_error(owner_->instance, stream_.get(), error.get());
  // UNIMPLEMENTED without a place is the answer of a table that lacks the function.
  const bool has_words = status != MORTISE_STATUS_OK && (status != MORTISE_STATUS_UNIMPLEMENTED ||
                                                         !error.described(status).file.empty());
  if (has_words) return error.described(status);
  // Arrow's own way: an errno code and words.
  const char* words = stream_->get_last_error == nullptr
                          ? nullptr
                          : call_stream(*owner_->plugin, "get_last_error",
                                        [&] { return stream_->get_last_error(stream_.get()); });
  Error plain(Code::kUnknown, words != nullptr
                                  ? std::string(std::string_view(words).substr(0, 4096))
                                  : "The plugin gave no message.");
  return plain.with("errno", std::to_string(code));
}

Result<std::optional<OwnedArray>> FormatStream::next() {
  if (is_ended_) return std::optional<OwnedArray>();
  const InputNote note(owner_->names);
  OwnedArray batch;
  const int code = call_stream(*owner_->plugin, "get_next",
                               [&] { return stream_->get_next(stream_.get(), batch.out()); });
  if (code != 0) return stream_error(code);
  if (!batch.is_set()) {
    is_ended_ = true;
    return std::optional<OwnedArray>();
  }
  if (auto checked = check_array(schema_, *batch.get()); !checked.ok()) {
    is_ended_ = true;
    return std::move(checked).error();
  }
  return std::optional<OwnedArray>(std::move(batch));
}

Result<std::optional<std::vector<FormatRow>>> FormatStream::next_rows() {
  MORTISE_ASSIGN(auto batch, next());
  if (!batch) return std::optional<std::vector<FormatRow>>();
  const auto owner = std::make_shared<const OwnedArray>(std::move(*batch));
  const ArrowArray& array = *owner->get();
  std::vector<FormatRow> rows(static_cast<size_t>(array.length));
  const bool is_plain = is_row_schema(schema_);
  for (int64_t i = 0; i < array.length; ++i) {
    FormatRow& row = rows[static_cast<size_t>(i)];
    if (!is_plain) {
      row.json = row_of(schema_, array, i).dump();
      continue;
    }
    const int64_t inner = array.offset + i;
    row.json = text_at(schema_.children[0], *array.children[0], inner);
    for (size_t c = 1; c < schema_.children.size(); ++c) {
      const Column& column = schema_.children[c];
      const ArrowArray& cells = *array.children[c];
      if (is_null_at(cells, inner)) continue;
      if (!is_media(column)) {
        row.byte_offset = int64_at(cells, inner);
        continue;
      }
      MORTISE_ASSIGN(MediaField media, media_at(column, cells, inner));
      row.media.push_back(std::move(media));
      row.batch = owner;
    }
  }
  return std::optional<std::vector<FormatRow>>(std::move(rows));
}

Result<std::string> FormatStream::cursor() {
  SinkBox out(4096);
  ErrorBox error;
  MORTISE_TRY(
      error.check(owner_->table->cursor(owner_->instance, stream_.get(), out.get(), error.get())));
  return out.take();
}

const Column& FormatStream::schema() const {
  return schema_;
}

FormatStream::FormatStream(FormatStream&&) noexcept = default;

FormatStream& FormatStream::operator=(FormatStream&& other) noexcept {
  if (this == &other) return *this;
  end();
  owner_ = std::move(other.owner_);
  stream_ = std::move(other.stream_);
  schema_ = std::move(other.schema_);
  is_ended_ = other.is_ended_;
  return *this;
}

FormatStream::~FormatStream() {
  end();
}

void FormatStream::end() {
  if (stream_ == nullptr || stream_->release == nullptr) return;
  call_stream(*owner_->plugin, "release", [&] {
    stream_->release(stream_.get());
    return 0;
  });
  stream_.reset();
}

}  // namespace mortise::plugin
