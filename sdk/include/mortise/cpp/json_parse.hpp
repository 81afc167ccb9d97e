// mortise/cpp/json_parse.hpp: JSON text (RFC 8259, UTF-8) to a JsonDocument.
//
// Strict: duplicate keys, lone surrogates, control characters, bad UTF-8 and anything after the
// value are errors with the byte, a remedy and, for a key, its field. Bounded: size, depth and
// number of values. Memory is the text plus 24 bytes a value. Knows nothing of schemas:
// configurations were already checked by the host.
#ifndef MORTISE_CPP_JSON_PARSE_HPP
#define MORTISE_CPP_JSON_PARSE_HPP

#include <mortise/cpp/json_scan.hpp>

#include <algorithm>
#include <memory>

namespace mortise::sdk {

namespace detail {

class JsonParser : private JsonScanner {
 public:
  JsonParser(JsonTree* tree, const JsonLimits& limits, std::string_view file)
      : JsonScanner(tree, limits, file) {}

  void run() {
    const std::string& text = tree_->characters;
    if (text.size() > limits_.size_bytes) {
      throw resource_exhausted("The JSON text has " + std::to_string(text.size()) +
                               " bytes; the limit is " + std::to_string(limits_.size_bytes) + ".");
    }
    const int64_t invalid = find_invalid_utf8(text);
    if (invalid >= 0) {
      at_ = static_cast<size_t>(invalid);
      fail("the text is not UTF-8", "Save the file as UTF-8.");
    }
    value(0);
    skip_blanks();
    if (at_ != text.size())
      fail("there is more text after the value", "Take away what follows it.");
    if (twice_ != 0) refuse_twice();
  }

 private:
  bool accept(char wanted) {
    skip_blanks();
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  void value(uint32_t depth) {
    skip_blanks();
    if (depth > limits_.depth) {
      fail("the value lies deeper than " + std::to_string(limits_.depth) + " levels",
           "Write what lies so deep as a text.");
    }
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return string();
      case 't':
        return word("true", JsonType::kBool, 1);
      case 'f':
        return word("false", JsonType::kBool, 0);
      case 'n':
        return word("null", JsonType::kNull, 0);
      default:
        return number();
    }
  }
  void word(std::string_view wanted, JsonType type, int64_t integer) {
    if (std::string_view(tree_->characters).substr(at_, wanted.size()) != wanted) {
      fail("expected a value");
    }
    at_ += wanted.size();
    tree_->nodes[add(type)].integer = integer;
  }
  void close(uint32_t node, uint32_t count) {
    tree_->nodes[node].count = count;
    tree_->nodes[node].end = static_cast<uint32_t>(tree_->nodes.size());
  }
  void array(uint32_t depth) {
    const uint32_t node = add(JsonType::kArray);
    uint32_t count = 0;
    ++at_;
    if (accept(']')) return close(node, 0);
    do {
      value(depth + 1);
      ++count;
    } while (accept(','));
    if (!accept(']')) fail("expected \",\" or \"]\"");
    close(node, count);
  }
  void object(uint32_t depth) {
    const uint32_t node = add(JsonType::kObject);
    uint32_t count = 0;
    ++at_;
    if (accept('}')) return close(node, 0);
    do {
      skip_blanks();
      if (peek() != '"') fail("expected a key in quotes");
      string();
      if (!accept(':')) fail("expected \":\"");
      value(depth + 1);
      ++count;
    } while (accept(','));
    if (!accept('}')) fail("expected \",\" or \"}\"");
    close(node, count);
    find_twice(node);
  }
  // Remembers the first key that stands twice: its field can be told when the tree is whole.
  void find_twice(uint32_t node) {
    if (twice_ != 0) return;
    std::vector<std::pair<std::string_view, uint32_t>> keys;  // with the node of the key
    keys.reserve(tree_->nodes[node].count);
    const std::vector<JsonNode>& nodes = tree_->nodes;
    for (uint32_t at = node + 1; at < nodes[node].end; at = nodes[at + 1].end) {
      keys.emplace_back(Json(tree_, at).as_text(), at);
    }
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(
        keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
    if (twice != keys.end()) twice_ = std::next(twice)->second;
  }
  [[noreturn]] void refuse_twice() {
    at_ = tree_->nodes[twice_].offset - 1;  // its quote
    fail("the key \"" + std::string(Json(tree_, twice_).as_text()) + "\" stands twice",
         "Keep one of the two.", json_pointer(*tree_, twice_ + 1));
  }

  uint32_t twice_ = 0;  // node of a key; 0 is the root, which is none
};

}  // namespace detail

// Owns the tree; moving it keeps its handles valid.
class JsonDocument {
 public:
  // file: for messages. Throws INVALID_ARGUMENT with the byte, RESOURCE_EXHAUSTED over a limit.
  static JsonDocument parse(std::string text, const JsonLimits& limits = {},
                            std::string_view file = {}) {
    JsonDocument document;
    document.tree_->characters = std::move(text);
    detail::JsonParser(document.tree_.get(), limits, file).run();
    return document;
  }
  Json root() const { return Json(tree_.get(), 0); }

 private:
  std::unique_ptr<detail::JsonTree> tree_ = std::make_unique<detail::JsonTree>();
};

// The configuration of a create call: an empty text counts as {}.
inline JsonDocument parse_config(std::string_view config) {
  return JsonDocument::parse(config.empty() ? "{}" : std::string(config));
}

}  // namespace mortise::sdk

#endif
