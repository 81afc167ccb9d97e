// A match that single_word or `special` rules out hides shorter ones inside it, as in the library
// whose files these are: the search goes on behind it.
#include "added_tokens.h"

#include <algorithm>

#include "unicode.h"

namespace mortise::tokenizer_bpe {
namespace {

size_t previous_start(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && is_word(code_point_at(text, previous_start(text, text.size())).value);
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && is_word(code_point_at(text, 0).value);
}

size_t skip_spaces_left(std::string_view text, size_t end) {
  while (end > 0) {
    const size_t at = previous_start(text, end);
    if (!is_space(code_point_at(text, at).value)) break;
    end = at;
  }
  return end;
}

size_t skip_spaces_right(std::string_view text, size_t at) {
  while (at < text.size()) {
    const CodePoint c = code_point_at(text, at);
    if (!is_space(c.value)) break;
    at += c.size_bytes;
  }
  return at;
}

}  // namespace

void AddedTokenFinder::add(const AddedToken& token, std::string spelling) {
  if (spelling.empty()) return;
  std::vector<Entry>& entries = by_first_[spelling[0]];
  is_first_[static_cast<uint8_t>(spelling[0])] = true;
  const auto longer = [&](const Entry& entry) { return entry.spelling.size() < spelling.size(); };
  const auto place = std::find_if(entries.begin(), entries.end(), longer);
  entries.insert(place, Entry{token, std::move(spelling)});
}

const AddedTokenFinder::Entry* AddedTokenFinder::longest_at(std::string_view text,
                                                            size_t at) const {
  if (!is_first_[static_cast<uint8_t>(text[at])]) return nullptr;
  for (const Entry& entry : by_first_.at(text[at])) {
    if (text.substr(at).starts_with(entry.spelling)) return &entry;
  }
  return nullptr;
}

std::vector<Piece> AddedTokenFinder::split(std::string_view text, bool parse_special) const {
  std::vector<Piece> pieces;
  size_t done = 0;
  for (size_t at = 0; at < text.size() && !by_first_.empty();) {
    const Entry* entry = longest_at(text, at);
    if (entry == nullptr) {
      ++at;
      continue;
    }
    Range range{at, at + entry->spelling.size()};
    at = range.end;
    const AddedToken& token = entry->token;
    if (token.special && !parse_special) continue;
    if (token.single_word &&
        (ends_with_word(text.substr(0, range.begin)) || starts_with_word(text.substr(range.end)))) {
      continue;
    }
    if (token.lstrip) range.begin = skip_spaces_left(text, range.begin);
    if (token.rstrip) range.end = skip_spaces_right(text, range.end);
    range.begin = std::max(range.begin, done);
    if (done < range.begin) pieces.push_back({-1, {done, range.begin}});
    pieces.push_back({token.id, range});
    done = range.end;
    at = std::max(at, done);
  }
  if (done < text.size()) pieces.push_back({-1, {done, text.size()}});
  return pieces;
}

}  // namespace mortise::tokenizer_bpe
