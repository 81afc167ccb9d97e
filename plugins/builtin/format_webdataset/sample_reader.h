// Samples of a WebDataset shard: consecutive members with one key are one row.
//
// Called by plugin.cpp. The key of a member is its name up to the first dot of its base name, the
// rest is its extension. .json gives fields, .txt "text", .cls "label", pictures, sound and film
// are media, as ranges of the shard; any other extension is refused by name unless the
// configuration lists it.
#pragma once

#include <mortise/cpp/media_rows.hpp>

#include <optional>
#include <set>

#include "tar_scan.h"

namespace mortise::format_webdataset {

struct SampleOptions {
  std::set<std::string, std::less<>> ignore;  // extensions that are left out
  std::set<std::string, std::less<>> text;    // extensions that are fields of text
  uint64_t row_bytes_max = 0;                 // of a member that is text
};

// "a/b.c/d.seg.png" -> {"a/b.c/d", "seg.png"}; an empty extension for a name without one.
struct SampleName {
  std::string_view key, extension;
};
SampleName split_name(std::string_view name);

class SampleReader : public sdk::MediaRowReader {
 public:
  SampleReader(const std::string& name, const SampleOptions& options, const sdk::RowPosition* from);

  bool next(sdk::MediaRow* out) override;
  sdk::RowPosition position() const override { return {row_, pending_at(), 0}; }

 private:
  struct Parts;
  uint64_t pending_at() const { return pending_ ? pending_->begin : end_at_; }
  void advance();
  void add(const TarMember& member, std::string_view extension, Parts* parts);
  std::string read_text(const TarMember& member) const;
  void add_fields(const TarMember& member, Parts* parts) const;
  sdk::Failure at(const sdk::Failure& failure, uint64_t byte) const;

  TarScan scan_;
  const SampleOptions& options_;
  std::optional<TarMember> pending_;  // the first member of the next sample
  uint64_t end_at_ = 0;               // where the end mark stands
  uint64_t row_;
};

}  // namespace mortise::format_webdataset
