// Rows of a folder of media: those of its metadata files, or one a medium.
//
// Called by plugin.cpp. The text of a row comes from a sidecar, fields from metadata.csv (all as
// text), metadata.jsonl or a JSON file beside the medium. [serial]
#pragma once

#include <mortise/cpp/media_rows.hpp>

#include <optional>

#include "folder.h"

namespace mortise::format_mediafolder {

struct RowLimits {
  uint64_t metadata_bytes_max = 0;  // of one metadata file, which is held in memory
  uint64_t row_bytes_max = 0;       // of a sidecar
};

class FolderRows : public sdk::MediaRowReader {
 public:
  // folder and limits must outlive the reader.
  FolderRows(const Folder& folder, const RowLimits& limits, const sdk::RowPosition* from);

  bool next(sdk::MediaRow* out) override;
  sdk::RowPosition position() const override { return {row_, at_, part_}; }

 private:
  struct Row;
  void add_below(Row* row, std::string_view column, std::string_view name) const;
  void open_metadata();
  bool next_metadata(sdk::MediaRow* out);
  void take_csv(sdk::MediaRow* out);
  void take_json(std::string_view line, sdk::MediaRow* out);
  bool next_medium(sdk::MediaRow* out);
  std::string read_text(const std::string& name) const;

  const Folder& folder_;
  const RowLimits& limits_;
  uint64_t row_;
  uint64_t at_;    // byte of the metadata file, or index of the medium
  uint64_t part_;  // index of the metadata file
  std::string text_;
  std::optional<uint64_t> open_part_;
  std::vector<std::string> header_, cells_;
};

}  // namespace mortise::format_mediafolder
