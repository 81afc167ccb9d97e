// See format_writer.h.
#include "plugin/format_writer.h"

#include "plugin/error_box.h"

namespace mortise::plugin {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Result<FormatWriter> FormatWriter::open(std::shared_ptr<Plugin> plugin, std::string_view uri,
                                        const Column& schema, const base::Json& config) {
  FormatWriter writer;
  MORTISE_ASSIGN(writer.table_, plugin->get_interface<mortise_dataset_format_writer>(
                                    MORTISE_KIND_DATASET_FORMAT_WRITER));
  writer.plugin_ = std::move(plugin);
  writer.schema_ = schema;
  const OwnedSchema plain = make_schema(schema);
  const std::string text = config.is_null() ? "{}" : config.dump();
  const InputNote note(uri);
  ErrorBox error;
  MORTISE_TRY(error.check(writer.table_->open(text_of(uri), plain.get(), text_of(text),
                                              &writer.instance_, error.get())));
  if (writer.instance_ == nullptr) {
    return Error(Code::kInternal,
                 "The format " + writer.plugin_->label() + " made no writer and said OK.",
                 "Report this to its vendor.");
  }
  return writer;
}

Status FormatWriter::append(std::span<const base::Json> rows) {
  MORTISE_ASSIGN(const OwnedArray batch, make_rows(schema_, rows));
  return append(*batch.get());
}

Status FormatWriter::append(const ArrowArray& batch) {
  if (instance_ == nullptr) {
    return Error(Code::kFailedPrecondition, "The writer was ended by commit.");
  }
  const InputNote note(std::to_string(batch.length) + " rows");
  ErrorBox error;
  return error.check(table_->append(instance_, &batch, error.get()));
}

Status FormatWriter::commit() {
  if (instance_ == nullptr) {
    return Error(Code::kFailedPrecondition, "The writer was ended by commit.");
  }
  ErrorBox error;
  return error.check(table_->commit(std::exchange(instance_, nullptr), error.get()));
}

FormatWriter::FormatWriter(FormatWriter&& other) noexcept
    : plugin_(std::move(other.plugin_)),
      table_(other.table_),
      instance_(std::exchange(other.instance_, nullptr)),
      schema_(std::move(other.schema_)) {}

FormatWriter& FormatWriter::operator=(FormatWriter&& other) noexcept {
  if (this == &other) return *this;
  end();
  plugin_ = std::move(other.plugin_);
  table_ = other.table_;
  instance_ = std::exchange(other.instance_, nullptr);
  schema_ = std::move(other.schema_);
  return *this;
}

FormatWriter::~FormatWriter() {
  end();
}

void FormatWriter::end() {
  if (instance_ != nullptr) table_->abort(std::exchange(instance_, nullptr));
}

}  // namespace mortise::plugin
