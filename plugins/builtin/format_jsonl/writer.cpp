// A row is checked as a reader would check it, so that what is written can be read.
#include "writer.h"

#include <mortise/cpp/services.hpp>

#include <algorithm>

#include "row_check.h"

namespace mortise::format_jsonl {
namespace {

int64_t find_row_column(const ArrowSchema& schema) {
  int64_t found = -1;
  for (int64_t i = 0; i < schema.n_children; ++i) {
    const std::string_view name = sdk::schema_name(*schema.children[i]);
    if (name == "row") {
      sdk::check_format(*schema.children[i], "u");
      found = i;
    } else if (name != "byte_offset") {
      throw sdk::invalid_argument("JSONL holds whole rows: the column \"" + std::string(name) +
                                  "\" has no place beside \"row\".")
          .at("", -1, -1, name);
    }
  }
  if (found < 0) {
    throw sdk::invalid_argument("There is no column \"row\" to write.").at("", -1, -1, "row");
  }
  return found;
}

}  // namespace

JsonlWriter::JsonlWriter(std::string_view uri, const ArrowSchema& schema, sdk::Json)
    : row_column_(find_row_column(schema)), file_(sdk::File::create(uri)) {}

void JsonlWriter::append(const sdk::StructView& batch) {
  const auto rows = batch.column<sdk::TextView>(row_column_, "row");
  std::string lines;
  for (int64_t row = 0; row < rows.size(); ++row) {
    if (row % 256 == 0) sdk::check_cancelled();
    const std::string_view text = trimmed(rows[row]);
    try {
      check_row(text);
    } catch (const sdk::Failure& failure) {
      throw failure.at(file_.name(), rows_ + row + 1, failure.byte);
    }
    const size_t begin = lines.size();
    lines += text;
    // A line end in a checked row is white space between values; in texts it is escaped.
    std::replace_if(
        lines.begin() + static_cast<std::ptrdiff_t>(begin), lines.end(),
        [](char c) { return c == '\n' || c == '\r'; }, ' ');
    lines += '\n';
  }
  if (!lines.empty()) file_.write(lines);
  rows_ += rows.size();
}

void JsonlWriter::commit() {
  file_.close();
}

}  // namespace mortise::format_jsonl
