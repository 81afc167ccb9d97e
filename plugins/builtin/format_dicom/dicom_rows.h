// One row a DICOM file: its picture and those of its tags that are asked for.
//
// Called by plugin.cpp. The profile "technical", which holds unless the configuration lists tags,
// keeps what describes the picture and drops every tag that may say who, when and where: names,
// ids, dates, ages, descriptions, institutions, UIDs. [serial]
#pragma once

#include <mortise/cpp/media_rows.hpp>

#include <string>
#include <vector>

#include "pixels.h"

namespace mortise::format_dicom {

// A tag that a row may hold, under its keyword of PS3.6.
struct Keyword {
  std::string_view name;
  Tag tag;
  bool is_technical;  // in the profile
  bool is_number;     // DS, IS or US: a number, or a list of numbers
};
// NULL for a word that is not known here.
const Keyword* find_keyword(std::string_view name);

struct DicomOptions {
  std::vector<const Keyword*> keywords;  // in the order of the row
  bool has_file_name = false;            // "FileName": the stem, for joins
  PictureOptions picture;
  uint64_t file_bytes_max = 0;
};
std::vector<const Keyword*> technical_profile();

class DicomRows : public sdk::MediaRowReader {
 public:
  // names and options must outlive the reader. Column 0 is image, column 1 is images.
  DicomRows(const std::vector<std::string>& names, const DicomOptions& options,
            const sdk::RowPosition* from);

  bool next(sdk::MediaRow* out) override;
  sdk::RowPosition position() const override { return {next_ + 1, next_, 0}; }

 private:
  void fill(const std::string& name, sdk::MediaRow* out) const;

  const std::vector<std::string>& names_;
  const DicomOptions& options_;
  uint64_t next_;
};

}  // namespace mortise::format_dicom
