// Names as small numbers, in the order they came: what is known of a million media then lies in
// plain arrays, and a name costs its letters and 20 bytes. Called by media_check. Knows nothing of
// what names stand for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::ingest {

class NameIndex {  // [serial]; find() and name() [parallel] while nobody adds
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t add(std::string_view name);           // the number that it has, or the next one
  uint32_t find(std::string_view name) const;    // kNone for one that was never added
  std::string_view name(uint32_t number) const;  // good until the next add()
  uint32_t count() const { return static_cast<uint32_t>(ends_.size()); }

 private:
  size_t slot_of(std::string_view name) const;  // where it is, or would be
  void grow();

  std::string letters_;          // the names end to end
  std::vector<uint64_t> ends_;   // of each name, in letters_
  std::vector<uint32_t> slots_;  // open addressing: number + 1, or 0; at most half are taken
};

}  // namespace mortise::ingest
