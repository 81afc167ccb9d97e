// See literal.h.
#include "ingest/catalog/literal.h"

#include <charconv>

#include "base/utf8.h"

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr int kDepthMax = 64;

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<Json> whole() {
    MORTISE_ASSIGN(Json value, one(0));
    skip();
    if (at_ == text_.size()) return value;
    return fail("something stands behind the value");
  }

 private:
  Error fail(const std::string& what) const {
    return Error(Code::kInvalidArgument, "The text is no Python literal: " + what + " at byte " +
                                             std::to_string(at_) + " of it.");
  }
  void skip() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
  }
  bool accept(std::string_view sign) {
    skip();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }

  Result<Json> one(int depth) {
    if (depth > kDepthMax) return fail("it is nested too deeply");
    if (accept("[")) return list("]", depth);
    if (accept("(")) return list(")", depth);
    if (accept("{")) return dictionary(depth);
    if (accept("None")) return Json();
    if (accept("True")) return Json(true);
    if (accept("False")) return Json(false);
    skip();
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (c == '"' || c == '\'') return quoted();
    return number();
  }

  Result<Json> list(std::string_view end, int depth) {
    Json items = Json::array();
    while (!accept(end)) {
      MORTISE_ASSIGN(Json item, one(depth + 1));
      items.push_back(std::move(item));
      if (accept(",")) continue;
      if (accept(end)) break;
      return fail("\",\" or the end of the list is missing");
    }
    return items;
  }

  Result<Json> dictionary(int depth) {
    Json members = Json::object();
    while (!accept("}")) {
      MORTISE_ASSIGN(const Json key, one(depth + 1));
      if (!key.is_string()) return fail("a key is no text");
      if (!accept(":")) return fail("\":\" is missing");
      MORTISE_ASSIGN(members[key.as_string()], one(depth + 1));
      if (accept(",")) continue;
      if (accept("}")) break;
      return fail("\",\" or \"}\" is missing");
    }
    return members;
  }

  Result<Json> quoted() {
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        out += text_[at_++];
        continue;
      }
      if (++at_ == text_.size()) break;
      const char c = text_[at_++];
      switch (c) {
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case 'r':
          out += '\r';
          break;
        case 'x':
        case 'u':
        case 'U': {
          const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
          const std::string_view hex = text_.substr(at_, digits);
          uint32_t point = 0;
          const auto read = std::from_chars(hex.data(), hex.data() + hex.size(), point, 16);
          if (hex.size() != digits || read.ptr != hex.data() + digits || point > 0x10FFFF ||
              (point >= 0xD800 && point < 0xE000)) {
            return fail("an escape is wrong");
          }
          base::utf8_append(out, point);
          at_ += digits;
          break;
        }
        default:
          out += c;
      }
    }
    if (at_ == text_.size()) return fail("a text does not end");
    ++at_;
    return Json(std::move(out));
  }

  Result<Json> number() {
    const size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    int64_t whole = 0;
    auto read = std::from_chars(word.data(), word.data() + word.size(), whole);
    if (!word.empty() && read.ec == std::errc() && read.ptr == word.data() + word.size()) {
      at_ = end;
      return Json(whole);
    }
    double real = 0;
    read = std::from_chars(word.data(), word.data() + word.size(), real);
    if (word.empty() || read.ec != std::errc() || read.ptr != word.data() + word.size()) {
      return fail("a value is expected");
    }
    at_ = end;
    return Json(real);
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<Json> parse_literal(std::string_view text) {
  return Reader(text).whole();
}

}  // namespace mortise::ingest::catalog
