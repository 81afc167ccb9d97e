// mortise/cpp/json_walk.hpp: walks a JSON file of any size and cuts values out of it.
//
// Used by formats whose rows lie inside one large document. Memory is one block and the value that
// is taken. A value that is skipped is checked for balance only; one that is taken is checked by
// parse(), strictly (json_parse.hpp). Errors name the file and the byte. One thread at a time.
#ifndef MORTISE_CPP_JSON_WALK_HPP
#define MORTISE_CPP_JSON_WALK_HPP

#include <mortise/cpp/byte_reader.hpp>
#include <mortise/cpp/json_parse.hpp>

namespace mortise::sdk {

struct JsonWalkLimits {
  uint64_t value_bytes = uint64_t{64} << 20;  // of one taken value
  uint32_t depth = 128;                       // of any value
};

// A value as it stands in its file.
struct JsonSlice {
  std::string text;
  uint64_t begin = 0;  // byte of the file
};

class JsonWalker {
 public:
  explicit JsonWalker(ByteReader bytes, JsonWalkLimits limits = {})
      : bytes_(std::move(bytes)), limits_(limits) {
    bytes_.skip_mark();
  }

  uint64_t offset() const { return bytes_.offset(); }
  const std::string& name() const { return bytes_.name(); }

  // The next byte that is no white space, unread; '\0' at the end of the file.
  char peek() {
    for (;;) {
      const std::string_view window = bytes_.window();
      if (window.empty()) return '\0';
      const size_t blanks = window.find_first_not_of(" \t\r\n");
      if (blanks != window.npos) {
        bytes_.advance(blanks);
        return window[blanks];
      }
      bytes_.advance(window.size());
    }
  }
  // Reads `wanted` when it comes next.
  bool accept(char wanted) {
    if (peek() != wanted || bytes_.peek() < 0) return false;
    bytes_.advance(1);
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(std::string("expected \"") + wanted + "\"");
  }
  // After the last value of the document.
  void expect_end() {
    peek();
    if (bytes_.peek() >= 0) fail("there is more text after the value");
  }

  // The next value, or key, as it stands. Throws RESOURCE_EXHAUSTED over value_bytes.
  JsonSlice take() {
    JsonSlice slice;
    peek();
    slice.begin = offset();
    scan(&slice.text);
    return slice;
  }
  void skip() {
    peek();
    scan(nullptr);
  }
  std::string take_key() {
    if (peek() != '"') fail("expected a key in quotes");
    return std::string(parse(take()).root().as_text());
  }

  // Calls visit(key) before each value of an object; visit takes, skips or walks the value.
  template <class Visit>
  void for_each_member(Visit&& visit) {
    expect('{');
    if (accept('}')) return;
    do {
      const std::string key = take_key();
      expect(':');
      visit(key);
    } while (accept(','));
    if (!accept('}')) fail("expected \",\" or \"}\"");
  }
  // Reads an object up to the value of that member; false, at its end, when it has none.
  bool enter_member(std::string_view wanted) {
    expect('{');
    if (accept('}')) return false;
    do {
      const std::string key = take_key();
      expect(':');
      if (key == wanted) return true;
      skip();
    } while (accept(','));
    expect('}');
    return false;
  }
  // From behind the value of a member to the end of its object.
  void leave_object() {
    while (accept(',')) {
      take_key();
      expect(':');
      skip();
    }
    expect('}');
  }
  // Calls visit() before each item of an array.
  template <class Visit>
  void for_each_item(Visit&& visit) {
    expect('[');
    if (accept(']')) return;
    do {
      visit();
    } while (accept(','));
    if (!accept(']')) fail("expected \",\" or \"]\"");
  }

  // The tree of a taken value. Throws INVALID_ARGUMENT with file, `row` and byte of the file.
  JsonDocument parse(JsonSlice slice, int64_t row = -1) const {
    JsonLimits limits;
    limits.size_bytes = limits_.value_bytes;
    limits.depth = limits_.depth;
    const auto begin = static_cast<int64_t>(slice.begin);
    try {
      return JsonDocument::parse(std::move(slice.text), limits);
    } catch (const Failure& failure) {
      throw failure.at(name(), row, begin + std::max<int64_t>(failure.byte, 0));
    }
  }

  [[noreturn]] void fail(const std::string& words) const {
    throw invalid_argument("JSON at byte " + std::to_string(offset()) + ": " + words + ".")
        .at(name(), -1, static_cast<int64_t>(offset()));
  }

 private:
  struct State {
    std::string open;  // brackets that wait for their partner
    bool is_text = false;
    bool is_escaped = false;
  };

  // Where in the window the value ends; npos when it goes on.
  size_t find_end(std::string_view window, State* state) const {
    for (size_t i = 0; i < window.size(); ++i) {
      const char c = window[i];
      if (state->is_text) {
        if (state->is_escaped) {
          state->is_escaped = false;
        } else if (c == '\\') {
          state->is_escaped = true;
        } else if (c == '"') {
          state->is_text = false;
          if (state->open.empty()) return i + 1;
        }
      } else if (c == '"') {
        state->is_text = true;
      } else if (c == '{' || c == '[') {
        state->open += c;
        if (state->open.size() > limits_.depth) return i;
      } else if (c == '}' || c == ']') {
        if (state->open.empty() || state->open.back() != (c == '}' ? '{' : '[')) return i;
        state->open.pop_back();
        if (state->open.empty()) return i + 1;
      }
    }
    return std::string_view::npos;
  }
  void scan(std::string* out) {
    const int first = bytes_.peek();
    if (first != '{' && first != '[' && first != '"') return scan_word(out);
    const uint64_t begin = offset();
    State state;
    for (;;) {
      const std::string_view window = bytes_.window();
      if (window.empty())
        fail("the value that begins at byte " + std::to_string(begin) + " does not end");
      const size_t end = find_end(window, &state);
      const size_t count = std::min(end, window.size());
      keep(window.substr(0, count), begin, out);
      bytes_.advance(count);
      if (end == window.npos) continue;
      if (state.open.size() > limits_.depth) fail("the value lies deeper than the limit");
      if (!state.open.empty() || count == 0) fail("a bracket has no partner");
      return;
    }
  }
  // true, false, null or a number.
  void scan_word(std::string* out) {
    const uint64_t begin = offset();
    for (;;) {
      const std::string_view window = bytes_.window();
      const size_t end = std::min(window.find_first_of(" \t\r\n,]}:[{\""), window.size());
      keep(window.substr(0, end), begin, out);
      bytes_.advance(end);
      if (end < window.size() || window.empty()) break;
    }
    if (offset() == begin) fail("expected a value");
  }
  void keep(std::string_view piece, uint64_t begin, std::string* out) const {
    if (out == nullptr) return;
    if (out->size() + piece.size() > limits_.value_bytes) {
      throw resource_exhausted("The JSON value is longer than " +
                               std::to_string(limits_.value_bytes) + " bytes.")
          .at(name(), -1, static_cast<int64_t>(begin))
          .with_hint("Put large media in files of their own, or raise row_bytes_max.");
    }
    out->append(piece);
  }

  ByteReader bytes_;
  JsonWalkLimits limits_;
};

}  // namespace mortise::sdk

#endif
