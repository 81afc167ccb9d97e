// See name_index.h.
#include "ingest/name_index.h"

#include <algorithm>

#include "ingest/duplicates.h"

namespace mortise::ingest {

std::string_view NameIndex::name(uint32_t number) const {
  const uint64_t begin = number == 0 ? 0 : ends_[number - 1];
  return std::string_view(letters_).substr(begin, ends_[number] - begin);
}

size_t NameIndex::slot_of(std::string_view name) const {
  size_t at = hash_text(name) & (slots_.size() - 1);
  while (slots_[at] != 0 && this->name(slots_[at] - 1) != name) at = (at + 1) & (slots_.size() - 1);
  return at;
}

uint32_t NameIndex::find(std::string_view name) const {
  return slots_.empty() ? kNone : slots_[slot_of(name)] - 1;  // 0 - 1 is kNone
}

uint32_t NameIndex::add(std::string_view name) {
  if (ends_.size() * 2 >= slots_.size()) grow();
  const size_t at = slot_of(name);
  if (slots_[at] != 0) return slots_[at] - 1;
  letters_ += name;
  ends_.push_back(letters_.size());
  slots_[at] = count();
  return slots_[at] - 1;
}

void NameIndex::grow() {
  slots_.assign(std::max<size_t>(slots_.size() * 2, 64), 0);
  for (uint32_t number = 0; number < count(); ++number) slots_[slot_of(name(number))] = number + 1;
}

}  // namespace mortise::ingest
