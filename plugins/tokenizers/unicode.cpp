// The table behind unicode.h is filled once from utf8proc (about 60 KiB); what is asked seldom goes
// to utf8proc each time.
#include "unicode.h"

#include <utf8proc.h>
#include <mortise/cpp/status.hpp>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "unicode_tables.h"

namespace mortise::tokenizers {
namespace {

utf8proc_category_t own_category_of(uint32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

utf8proc_category_t category_of(uint32_t code_point) {
  const utf8proc_category_t own = own_category_of(code_point);
  if (own != UTF8PROC_CATEGORY_CN) return own;
  const NewRange* range = find_range(new_characters(), code_point);
  if (range == nullptr) return own;
  const std::string_view name = range->category;
  if (name == "Lu") return UTF8PROC_CATEGORY_LU;
  if (name == "Ll") return UTF8PROC_CATEGORY_LL;
  if (name == "Lm") return UTF8PROC_CATEGORY_LM;
  if (name == "Lo") return UTF8PROC_CATEGORY_LO;
  return name == "N" ? UTF8PROC_CATEGORY_ND : UTF8PROC_CATEGORY_MN;
}

// The property White_Space.
bool has_white_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

Class compute_class(uint32_t code_point) {
  if (has_white_space(code_point)) return Class::kSpace;
  const utf8proc_category_t category = category_of(code_point);
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return Class::kLetter;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return Class::kNumber;
  return Class::kOther;
}

const utf8proc_property_t& property_of(uint32_t code_point) {
  return *utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point));
}

// Second halves of compositions have an index from here on; 0xFFFF means none.
constexpr uint16_t kCompositionSecond = 0x8000;
constexpr uint16_t kNoIndex = 0xFFFF;

bool composes_backwards(uint32_t code_point) {
  const uint16_t index = property_of(code_point).comb_index;
  // U+11A7 is no final, but utf8proc takes it for one and drops it.
  const bool jamo = code_point >= 0x1160 && code_point <= 0x11FF && code_point != 0x11A7;
  return jamo || (index >= kCompositionSecond && index != kNoIndex);
}

bool compute_change(Form form, uint32_t c) {
  if (c < 0x80) return false;
  const bool hangul = c >= 0xAC00 && c <= 0xD7A3;
  const bool compatible = form == Form::kNfkc || form == Form::kNfkd;
  if (form == Form::kNfc && (c < 0x300 || hangul)) return false;
  const utf8proc_property_t& property = property_of(c);
  if (property.combining_class != 0 || composes_backwards(c)) return true;
  if (hangul) return form == Form::kNfd || form == Form::kNfkd;
  if (property.decomp_seqindex == kNoIndex) return false;
  return compatible || property.decomp_type == 0;  // 0: canonical
}

CharFacts compute_facts(uint32_t c) {
  unsigned bits = static_cast<unsigned>(compute_class(c));
  switch (category_of(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      bits |= 4;
      break;
    case UTF8PROC_CATEGORY_LL:
      bits |= 8;
      break;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      bits |= 12;
      break;
    default:
      break;
  }
  for (const Form form : {Form::kNfc, Form::kNfd, Form::kNfkc, Form::kNfkd}) {
    if (compute_change(form, c)) bits |= 16U << static_cast<unsigned>(form);
  }
  return {static_cast<uint8_t>(bits)};
}

}  // namespace

void append_utf8(uint32_t c, std::string& out) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

size_t find_invalid_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0u; };
  const auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  for (size_t i = 0; i < text.size();) {
    const unsigned first = byte(i);
    if (first < 0x80) {
      ++i;
    } else if (first >= 0xC2 && first < 0xE0) {
      if (!tail(i + 1)) return i;
      i += 2;
    } else if (first >= 0xE0 && first < 0xF0) {
      const unsigned second = byte(i + 1);
      const bool bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F);
      if (bad || !tail(i + 1) || !tail(i + 2)) return i;
      i += 3;
    } else if (first >= 0xF0 && first < 0xF5) {
      const unsigned second = byte(i + 1);
      const bool bad = (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
      if (bad || !tail(i + 1) || !tail(i + 2) || !tail(i + 3)) return i;
      i += 4;
    } else {
      return i;
    }
  }
  return std::string_view::npos;
}

CharTable::CharTable() {
  std::map<std::array<uint8_t, 256>, uint32_t> known;
  for (uint32_t block = 0; block < block_at_.size(); ++block) {
    std::array<uint8_t, 256> bits{};
    for (uint32_t i = 0; i < 256; ++i) bits[i] = compute_facts(block << 8 | i).bits;
    const auto [entry, is_new] = known.emplace(bits, static_cast<uint32_t>(facts_.size()));
    block_at_[block] = entry->second;
    for (uint32_t i = 0; is_new && i < 256; ++i) facts_.push_back({bits[i]});
  }
}

const CharTable& CharTable::get() {
  static const CharTable table;
  return table;
}

bool may_change(Form form, std::string_view text) {
  const CharTable& table = CharTable::get();
  for (size_t i = 0; i < text.size();) {
    if (i + 8 <= text.size()) {
      uint64_t eight;
      std::memcpy(&eight, text.data() + i, 8);
      if ((eight & 0x8080808080808080U) == 0) {
        i += 8;
        continue;
      }
    }
    const CodePoint c = code_point_at(text, i);
    if (table[c.value].may_change(static_cast<uint8_t>(form))) return true;
    i += c.size_bytes;
  }
  return false;
}

bool is_word(uint32_t c) {
  switch (category_of(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      break;
  }
  // Joiners, and the circled and squared letters that are Alphabetic.
  return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) ||
         (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
         (c >= 0x1F170 && c <= 0x1F189);
}

bool is_punctuation(uint32_t c) {
  if (c < 0x80) {
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
  }
  if (c == 0x166D || c == 0x111C9) return true;  // which were punctuation then
  const utf8proc_category_t category = own_category_of(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO &&
         find_range(young_punctuation(), c) == nullptr;
}

bool is_mark(uint32_t code_point) {
  const utf8proc_category_t category = category_of(code_point);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_nonspacing_mark(uint32_t code_point) {
  if (code_point == 0x1734) return true;
  return own_category_of(code_point) == UTF8PROC_CATEGORY_MN &&
         find_range(young_nonspacing_marks(), code_point) == nullptr;
}

bool is_control(uint32_t c) {
  const bool is_young =
      c == 0x890 || c == 0x891 || c == 0x8E2 || c == 0x110CD || (c >= 0x13430 && c <= 0x13438);
  return own_category_of(c) >= UTF8PROC_CATEGORY_CC && !is_young;
}

bool is_han(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

void append_lower(uint32_t code_point, std::string& out) {
  if (code_point == 0x130) {  // the one character whose lower case is longer
    out += "i\xCC\x87";
    return;
  }
  if (const NewLower* range = find_range(new_lower_cases(), code_point)) {
    append_utf8(range->lower + (code_point - range->first), out);
    return;
  }
  const auto lower = utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point));
  append_utf8(static_cast<uint32_t>(lower), out);
}

bool starts_cluster(uint32_t c) {
  if (c < 0x300) return true;
  if (c >= 0x0F71 && c <= 0x0F84) return false;  // Tibetan vowels that decompose into marks
  return property_of(c).combining_class == 0 && !composes_backwards(c);
}

std::string normal_form(Form form, std::string_view text) {
  int options = UTF8PROC_STABLE;
  options |= form == Form::kNfc || form == Form::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == Form::kNfkc || form == Form::kNfkd) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                             static_cast<utf8proc_ssize_t>(text.size()), &result,
                                             static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  if (size < 0) {
    throw sdk::resource_exhausted(std::string("Unicode normalisation failed: ") +
                                  utf8proc_errmsg(size));
  }
  return std::string(reinterpret_cast<const char*>(result), static_cast<size_t>(size));
}

}  // namespace mortise::tokenizers
