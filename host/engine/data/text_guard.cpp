// See text_guard.h.
#include "engine/data/text_guard.h"

#include <algorithm>

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr size_t kPiecesMax = 4096;
constexpr int kRoundsMax = 8;  // one is enough unless cutting makes a neighbour a token of its own

// Character number `index` of a private area that no text means anything by: U+F0000 and on.
std::string private_character(unsigned index) {
  return {'\xF3', '\xB0', static_cast<char>(0x80 + index / 64),
          static_cast<char>(0x80 + index % 64)};
}

// The end of the first character of [begin, end) that is no blank.
size_t after_first_character(const std::string& text, size_t begin, size_t end) {
  while (begin < end && (text[begin] == ' ' || (text[begin] >= '\t' && text[begin] <= '\r'))) {
    ++begin;
  }
  if (begin < end) ++begin;
  while (begin < end && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
  return begin;
}

Error cannot_guard(const char* why) {
  return Error(Code::kInvalidArgument, std::string("A text of the request ") + why,
               "Take the control tokens out of the text.");
}

}  // namespace

Result<TextGuard> TextGuard::create(const Encoder& encoder, std::vector<int32_t> control_ids,
                                    const Json& words) {
  const std::string all = words.dump();
  for (unsigned index = 0; index < 64 * 64; ++index) {
    const std::string mark = private_character(index);
    if (all.find(mark) == std::string::npos) {
      return TextGuard(encoder, std::move(control_ids), mark);
    }
  }
  return cannot_guard("uses every private character, so none is free to mark control tokens with.");
}

// Appends the text to `pieces`, cut inside each control token. Whether there was one.
Result<bool> TextGuard::cut_at_controls(const std::string& text,
                                        std::vector<std::string>& pieces) const {
  MORTISE_ASSIGN(const EncodedText encoded, encoder_->encode(text));
  MORTISE_ASSIGN(std::vector<int32_t> controls, encoder_->special_among(encoded.ids));
  controls.insert(controls.end(), control_ids_.begin(), control_ids_.end());
  size_t done = 0;
  for (size_t i = 0; i < encoded.ids.size(); ++i) {
    if (std::find(controls.begin(), controls.end(), encoded.ids[i]) == controls.end()) continue;
    const auto begin = static_cast<size_t>(encoded.offsets[i].first);
    const auto end = static_cast<size_t>(encoded.offsets[i].second);
    const size_t cut = after_first_character(text, begin, end);
    if (cut <= begin || cut >= end) {
      return cannot_guard("holds a control token of one character, which cannot be plain text.");
    }
    pieces.push_back(text.substr(done, cut - done));
    done = cut;
    if (pieces.size() > kPiecesMax) return cannot_guard("spells more than 4096 control tokens.");
  }
  pieces.push_back(text.substr(done));
  return done > 0;
}

Result<std::string> TextGuard::guarded_text(const std::string& text) const {
  std::vector<std::string> pieces = {text};
  bool was_cut = !text.empty();
  for (int round = 0; was_cut; ++round) {
    if (round == kRoundsMax) return cannot_guard("spells control tokens that cannot be cut apart.");
    std::vector<std::string> smaller;
    was_cut = false;
    for (const std::string& piece : pieces) {
      MORTISE_ASSIGN(const bool cut, cut_at_controls(piece, smaller));
      was_cut = was_cut || cut;
    }
    pieces = std::move(smaller);
  }
  std::string out;
  for (const std::string& piece : pieces) out += (out.empty() ? "" : mark_) + piece;
  return out;
}

Result<Json> TextGuard::guarded(const Json& value) const {
  if (value.is_string()) {
    MORTISE_ASSIGN(std::string text, guarded_text(value.as_string()));
    return Json(std::move(text));
  }
  Json out = value;
  for (Json& item : out.items()) {
    MORTISE_ASSIGN(item, guarded(item));
  }
  for (auto& [key, member] : out.members()) {
    MORTISE_ASSIGN(key, guarded_text(key));
    MORTISE_ASSIGN(member, guarded(member));
  }
  return out;
}

Result<std::vector<int32_t>> TextGuard::encode(const std::string& rendered) const {
  std::vector<int32_t> ids;
  for (size_t begin = 0; begin <= rendered.size();) {
    const size_t end = std::min(rendered.find(mark_, begin), rendered.size());
    if (end > begin) {
      MORTISE_ASSIGN(const EncodedText piece,
                     encoder_->encode(rendered.substr(begin, end - begin)));
      ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
    }
    begin = end + mark_.size();
  }
  return ids;
}

}  // namespace mortise::engine
