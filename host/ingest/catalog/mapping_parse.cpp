// Sources of the mapping language as trees. See mapping.h. A recursive descent with a bound on its
// depth; a name is taken literally, blanks and colons included, up to a sign of the language.
#include <algorithm>
#include <charconv>

#include "ingest/catalog/mapping.h"
#include "ingest/catalog/words.h"

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::string_view kEndOfName = ".[](){},?=";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

class Parser {
 public:
  Parser(std::string_view text, size_t offset, int depth, const MappingLimits& limits)
      : text_(text), offset_(offset), depth_(depth), limits_(limits) {}

  Result<Expression> whole() {
    MORTISE_ASSIGN(Expression root, either());
    if (at_ == text_.size()) return root;
    return fail("\"" + std::string(text_.substr(at_, 20)) + "\" is not understood here.");
  }

 private:
  using Kind = Expression::Kind;

  Error fail(const std::string& message, Code code = Code::kInvalidArgument) const {
    return Error(code, message).at_byte(static_cast<int64_t>(offset_ + at_));
  }
  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(std::string_view sign) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  Expression made(Kind kind, size_t byte) const {
    Expression node;
    node.kind = kind;
    node.byte = offset_ + byte;
    return node;
  }

  Result<Expression> either() {
    if (++depth_ > limits_.depth_max) return fail("The source is nested too deeply.");
    skip_blanks();
    const size_t begin = at_;
    MORTISE_ASSIGN(Expression left, value());
    while (accept("??")) {
      Expression node = made(Kind::kEither, begin);
      MORTISE_ASSIGN(Expression right, value());
      node.parts = {std::move(left), std::move(right)};
      left = std::move(node);
    }
    skip_blanks();
    --depth_;
    return left;
  }

  Result<Expression> value() {
    skip_blanks();
    const size_t begin = at_;
    MORTISE_ASSIGN(Expression node, primary());
    while (true) {
      if (peek() == '.') {
        MORTISE_ASSIGN(node, member(std::move(node), begin));
      } else if (peek() == '[') {
        MORTISE_ASSIGN(node, bracket(std::move(node), begin));
      } else {
        return node;
      }
    }
  }

  Result<Expression> primary() {
    const size_t begin = at_;
    if (peek() == '"' || peek() == '\'') return literal();
    if (peek() == '[') {
      ++at_;
      Expression node = made(Kind::kList, begin);
      MORTISE_TRY(arguments(node, ']'));
      return node;
    }
    if (text_.substr(at_).starts_with("@file")) {
      at_ += 5;
      return made(Kind::kFile, begin);
    }
    MORTISE_ASSIGN(const std::string word, name());
    if (peek() != '(') {
      const bool is_number = word.find_first_not_of("0123456789") == word.npos;
      Expression node = made(is_number ? Kind::kText : Kind::kName, begin);
      node.text = word;
      return node;
    }
    ++at_;
    return word == "join" ? join(begin) : call(word, begin);
  }

  Result<std::string> name() {
    const size_t begin = at_;
    at_ = std::min(text_.find_first_of(kEndOfName, at_), text_.size());
    const std::string_view found = trimmed(text_.substr(begin, at_ - begin));
    if (!found.empty()) return std::string(found);
    at_ = begin;
    return fail(at_ == text_.size() ? "The source ends where a name is expected."
                                    : "A name is expected.");
  }

  Result<Expression> call(const std::string& word, size_t begin) {
    Expression node = made(Kind::kCall, begin);
    node.text = word;
    MORTISE_TRY(arguments(node, ')'));
    const Word* known = find_word(word);
    if (known == nullptr) {
      at_ = begin;
      return fail("\"" + word + "\" is no word of the mapping language.", Code::kUnimplemented);
    }
    const size_t count = node.parts.size();
    if (count >= known->arguments_min && count <= known->arguments_max) return node;
    at_ = begin;
    return fail(word + "() takes " + std::to_string(known->arguments_min) + " to " +
                std::to_string(known->arguments_max) + " arguments, not " + std::to_string(count) +
                ".");
  }

  // table.key=value)
  Result<Expression> join(size_t begin) {
    const size_t equals = text_.find('=', at_);
    const std::string_view place =
        equals == text_.npos ? "" : trimmed(text_.substr(at_, equals - at_));
    const size_t dot = place.rfind('.');
    if (dot == place.npos || dot == 0 || place.find_first_of("()[]{},\"'") != place.npos) {
      return fail("join() is written join(table.key=value).column.");
    }
    Expression node = made(Kind::kJoin, begin);
    node.text = place.substr(0, dot);
    node.key = place.substr(dot + 1);
    at_ = equals + 1;
    MORTISE_ASSIGN(Expression looked_for, either());
    node.parts.push_back(std::move(looked_for));
    if (accept(")")) return node;
    return fail("\")\" is expected.");
  }

  base::Status arguments(Expression& node, char end) {
    const std::string_view sign = end == ']' ? "]" : ")";
    if (accept(sign)) return {};
    do {
      MORTISE_ASSIGN(Expression argument, either());
      node.parts.push_back(std::move(argument));
    } while (accept(","));
    if (accept(sign)) return {};
    return fail("\",\" or \"" + std::string(sign) + "\" is expected.");
  }

  Result<Expression> member(Expression base, size_t begin) {
    const size_t dot = at_++;
    if (peek() == '*') {
      ++at_;
      return items(std::move(base), begin);
    }
    if (text_.substr(at_).starts_with("key()")) {
      at_ += 5;
      if (base.kind != Kind::kItems) return fail("key() stands behind \".*\".");
      Expression node = made(Kind::kKey, dot);
      node.parts.push_back(std::move(base));
      return node;
    }
    Expression node = made(Kind::kMember, dot);
    MORTISE_ASSIGN(node.text, name());
    node.parts.push_back(std::move(base));
    return node;
  }

  Result<Expression> items(Expression base, size_t begin) {
    Expression node = made(Kind::kItems, begin);
    node.axis = text_.substr(begin, at_ - begin);
    node.parts.push_back(std::move(base));
    return node;
  }

  bool integer(int64_t& out) {
    skip_blanks();
    const auto read = std::from_chars(text_.data() + at_, text_.data() + text_.size(), out);
    if (read.ec != std::errc()) return false;
    at_ = static_cast<size_t>(read.ptr - text_.data());
    return true;
  }

  Result<Expression> bracket(Expression base, size_t begin) {
    const size_t open = at_++;
    if (accept("]")) return items(std::move(base), begin);
    Expression node = made(Kind::kIndex, open);
    const bool has_first = integer(node.from);
    if (accept(":")) {
      node.kind = Kind::kSlice;
      if (!has_first) node.from = Expression::kOpen;
      if (!integer(node.to)) node.to = Expression::kOpen;
      if (accept(":") && (!integer(node.step) || node.step < 1)) {
        return fail("The step of a slice is a whole number from 1.");
      }
    } else if (!has_first) {
      return fail("An index is a whole number; [] takes every item.");
    }
    if (!accept("]")) return fail("\"]\" is expected.");
    node.parts.push_back(std::move(base));
    return node;
  }

  // A text in quotes; {x} and {x:03d} in it are values.
  Result<Expression> literal() {
    const size_t begin = at_;
    const char quote = text_[at_++];
    Expression node = made(Kind::kTemplate, begin);
    std::string plain;
    const auto end_plain = [&] {
      if (plain.empty()) return;
      node.parts.push_back(made(Kind::kText, begin));
      node.parts.back().text = std::exchange(plain, {});
    };
    while (peek() != quote) {
      if (at_ == text_.size()) return fail("The text does not end.");
      if (peek() == '{') {
        end_plain();
        MORTISE_TRY(hole(node));
        continue;
      }
      if (peek() == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        const char c = text_[at_];
        plain += c == 'n' ? '\n' : c == 't' ? '\t' : c;
      } else {
        plain += peek();
      }
      ++at_;
    }
    ++at_;
    end_plain();
    if (node.parts.size() == 1 && node.parts[0].kind == Kind::kText) return node.parts[0];
    if (node.parts.empty()) node.kind = Kind::kText;
    return node;
  }

  base::Status hole(Expression& node) {
    ++at_;
    size_t end = at_;
    for (int open = 1; end < text_.size(); ++end) {
      if (text_[end] == '{') ++open;
      if (text_[end] == '}' && --open == 0) break;
    }
    if (end == text_.size()) return fail("\"}\" is missing.");
    std::string_view inside = text_.substr(at_, end - at_);
    int width = 0;
    // x:012d
    const size_t colon = inside.rfind(":0");
    if (colon != inside.npos && inside.ends_with('d')) {
      const auto read =
          std::from_chars(inside.data() + colon + 2, inside.data() + inside.size() - 1, width);
      const bool is_width = read.ec == std::errc() && read.ptr == inside.data() + inside.size() - 1;
      if (!is_width || width > 64) return fail("A width is written {x:012d}, at most 64.");
      inside = inside.substr(0, colon);
    }
    Parser inner(inside, offset_ + at_, depth_, limits_);
    MORTISE_ASSIGN(Expression part, inner.whole());
    part.width = width;
    node.parts.push_back(std::move(part));
    at_ = end + 1;
    return {};
  }

  std::string_view text_;
  size_t offset_;  // of text_ in the source
  size_t at_ = 0;
  int depth_;
  const MappingLimits& limits_;
};

}  // namespace

Result<Expression> parse_source(std::string_view source, const MappingLimits& limits) {
  if (source.size() > limits.source_bytes_max) {
    return Error(Code::kInvalidArgument,
                 "The source is longer than " + std::to_string(limits.source_bytes_max) + " bytes.")
        .at_byte(static_cast<int64_t>(limits.source_bytes_max));
  }
  return Parser(source, 0, 0, limits).whole();
}

}  // namespace mortise::ingest::catalog
