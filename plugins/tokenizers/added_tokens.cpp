// A match that single_word or `special` rules out hides shorter ones inside it, as in the library
// whose files these are: the search goes on behind it.
#include "added_tokens.h"

#include <algorithm>

#include "unicode.h"

namespace mortise::tokenizers {
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
  const auto place = static_cast<int32_t>(tokens_.size());
  const auto known = std::find_if(spellings_.begin(), spellings_.end(),
                                  [&](const auto& entry) { return entry.first == spelling; });
  if (known != spellings_.end()) return;  // the first of equal spellings wins
  is_first_[static_cast<uint8_t>(spelling[0])] = true;
  all_special_ = all_special_ && token.special;
  tokens_.push_back(token);
  spellings_.emplace_back(std::move(spelling), place);
}

void AddedTokenFinder::seal() {
  trie_ = Trie(spellings_);
  if (std::count(is_first_.begin(), is_first_.end(), true) != 1) return;
  only_first_ =
      static_cast<int32_t>(std::find(is_first_.begin(), is_first_.end(), true) - is_first_.begin());
}

// The first byte from `at` on that a spelling begins with, or the end of the text.
size_t AddedTokenFinder::next_first(std::string_view text, size_t at) const {
  if (only_first_ >= 0) return std::min(text.find(static_cast<char>(only_first_), at), text.size());
  while (at < text.size() && !is_first_[static_cast<uint8_t>(text[at])]) ++at;
  return at;
}

std::vector<Piece> AddedTokenFinder::split(std::string_view text, bool parse_special) const {
  std::vector<Piece> pieces;
  size_t done = 0;
  const bool is_idle = tokens_.empty() || (all_special_ && !parse_special);
  for (size_t at = is_idle ? text.size() : next_first(text, 0); at < text.size();
       at = next_first(text, at)) {
    const Trie::Match match = trie_.longest(text.substr(at));
    if (match.value < 0) {
      ++at;
      continue;
    }
    Range range{at, at + match.size_bytes};
    at = range.end;
    const AddedToken& token = tokens_[static_cast<size_t>(match.value)];
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

}  // namespace mortise::tokenizers
