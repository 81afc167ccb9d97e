// Rows into files through a format's writer. Called by `dataset export`.
#pragma once

#include <mortise/kind/format_writer.h>

#include <memory>
#include <span>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "plugin/arrow_rows.h"
#include "plugin/plugin.h"

namespace mortise::plugin {

class FormatWriter {  // [serial]
 public:
  // uri: a new name under a root granted with kReadWrite. Errors: ALREADY_EXISTS; INVALID_ARGUMENT
  // naming a column that the format cannot hold; UNIMPLEMENTED when the plugin writes nothing.
  static base::Result<FormatWriter> open(std::shared_ptr<Plugin> plugin, std::string_view uri,
                                         const Column& schema, const base::Json& config);
  base::Status append(std::span<const base::Json> rows);
  base::Status append(const ArrowArray& batch);
  base::Status commit();  // makes the files visible; the writer is ended, on failure too

  FormatWriter(FormatWriter&&) noexcept;
  FormatWriter& operator=(FormatWriter&&) noexcept;
  ~FormatWriter();  // aborts what was not committed

 private:
  FormatWriter() = default;
  void end();

  std::shared_ptr<Plugin> plugin_;  // shared, as in Metric
  const mortise_dataset_format_writer* table_ = nullptr;
  mortise_format_writer_instance* instance_ = nullptr;
  Column schema_;
};

}  // namespace mortise::plugin
