// See json.h. nlohmann's SAX parser does the lexing; values, limits and duplicates are ours.
#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/utf8.h"

namespace mortise::base {
namespace {

const Json kNull{};
const std::string kEmptyText;
const Json::Array kNoItems;
const Json::Object kNoMembers;

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escaped[8];
          std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
          out += escaped;
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// The shortest text that reads back as the same double; NaN and infinity have none in JSON.
void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  if (value == 0) {
    out += std::signbit(value) ? "-0.0" : "0.0";
    return;
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  const std::string_view written(text, static_cast<size_t>(end.ptr - text));
  out += written;
  if (written.find_first_of(".e") == std::string_view::npos) out += ".0";
}

struct Style {
  int indent = -1;
  bool is_canonical = false;
};

class Writer {
 public:
  explicit Writer(Style style) : style_(style) {}

  void write(const Json& value, int depth) {
    switch (value.kind()) {
      case Json::Kind::kNull:
        out += "null";
        break;
      case Json::Kind::kBool:
        out += value.as_bool() ? "true" : "false";
        break;
      case Json::Kind::kInt:
        out += std::to_string(value.as_int());
        break;
      case Json::Kind::kUint:
        out += std::to_string(value.as_uint());
        break;
      case Json::Kind::kDouble:
        write_double(value.as_double());
        break;
      case Json::Kind::kString:
        append_quoted(out, value.as_string());
        break;
      case Json::Kind::kArray:
        write_items(value, depth);
        break;
      case Json::Kind::kObject:
        write_members(value, depth);
        break;
    }
  }

  std::string out;

 private:
  // In canonical form 1.0 and 1 are one number, so they have one text.
  void write_double(double value) {
    if (style_.is_canonical && value == std::floor(value) && value >= -0x1p63 && value < 0x1p64) {
      out += value < 0 ? std::to_string(static_cast<int64_t>(value))
                       : std::to_string(static_cast<uint64_t>(value));
    } else {
      append_double(out, value);
    }
  }

  void line(int depth) {
    if (style_.indent < 0) return;
    out += '\n';
    out.append(static_cast<size_t>(style_.indent * depth), ' ');
  }

  void write_items(const Json& value, int depth) {
    out += '[';
    bool first = true;
    for (const Json& item : value.items()) {
      if (!std::exchange(first, false)) out += ',';
      line(depth + 1);
      write(item, depth + 1);
    }
    if (!first) line(depth);
    out += ']';
  }

  void write_members(const Json& value, int depth) {
    std::vector<const Json::Member*> members;
    for (const Json::Member& member : value.members()) members.push_back(&member);
    if (style_.is_canonical) {
      std::sort(members.begin(), members.end(),
                [](const auto* a, const auto* b) { return a->first < b->first; });
    }
    out += '{';
    bool first = true;
    for (const Json::Member* member : members) {
      if (!std::exchange(first, false)) out += ',';
      line(depth + 1);
      append_quoted(out, member->first);
      out += style_.indent < 0 ? ":" : ": ";
      write(member->second, depth + 1);
    }
    if (!first) line(depth);
    out += '}';
  }

  Style style_;
};

// Of an integer of 64 bits, either sign, and a double.
std::partial_ordering compare_exactly(__int128 whole, double other) {
  if (std::isnan(other)) return std::partial_ordering::unordered;
  if (std::fabs(other) >= 0x1p64) return 0.0 <=> other;
  const double cut = std::trunc(other);
  const auto integer = static_cast<__int128>(cut);
  if (whole != integer) return whole <=> integer;
  return cut <=> other;
}

__int128 integer_of(const Json& value) {
  return value.kind() == Json::Kind::kInt ? static_cast<__int128>(value.as_int())
                                          : static_cast<__int128>(value.as_uint());
}

// Builds the value as nlohmann's parser reads it. Stops at the first error, which it keeps.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(Json& root, const JsonLimits& limits) : root_(root), limits_(limits) {}

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override {
    return add(Json(static_cast<int64_t>(value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return add(Json(static_cast<uint64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (std::isfinite(value)) return add(Json(value));
    return fail(Code::kInvalidArgument, "The number " + text + " is too large.");
  }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return fail(Code::kInternal, "JSON has no binary values."); }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    const bool is_new = is_new_key(level, name);
    if (!is_new)
      return fail(Code::kInvalidArgument, "The key " + json_quote(name) + " stands twice.");
    level.key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& failure) override {
    std::string reason = failure.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while ..."
    const size_t colon = reason.find(": ");
    if (colon != std::string::npos) reason = reason.substr(colon + 2);
    fail(Code::kInvalidArgument, "The JSON text is broken: " + escape_control(reason) + ".");
    error.byte_offset = position == 0 ? 0 : static_cast<int64_t>(position) - 1;
    return false;
  }

  Error error;

 private:
  struct Level {
    Json* value = nullptr;
    std::string key;
    std::unordered_set<std::string> keys;  // used from kManyKeys members on
  };
  static constexpr size_t kManyKeys = 16;

  static bool is_new_key(Level& level, const std::string& name) {
    const Json::Object& members = level.value->members();
    if (members.size() < kManyKeys) return level.value->find(name) == nullptr;
    if (level.keys.empty()) {
      for (const Json::Member& member : members) level.keys.insert(member.first);
    }
    return level.keys.insert(name).second;
  }

  Json* place(Json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.value->is_array()) {
      level.value->items().push_back(std::move(value));
      return &level.value->items().back();
    }
    level.value->members().emplace_back(std::move(level.key), std::move(value));
    return &level.value->members().back().second;
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (static_cast<int>(levels_.size()) == limits_.depth_max) {
      return fail(Code::kResourceExhausted, "The JSON text is nested deeper than " +
                                                std::to_string(limits_.depth_max) + " levels.");
    }
    Level level;
    level.value = place(std::move(value));
    levels_.push_back(std::move(level));
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  bool fail(Code code, std::string message) {
    error = Error(code, std::move(message));
    return false;
  }

  Json& root_;
  const JsonLimits& limits_;
  std::vector<Level> levels_;  // pointers stay good: a parent does not grow while a child is open
};

// Counts the bytes that the parser has taken, so that errors of ours know where they are.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** last) : at_(at), last_(last) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *last_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** last_;
};

}  // namespace

Json::Json(bool value) : kind_(Kind::kBool), bool_(value) {}
Json::Json(int value) : kind_(Kind::kInt), int_(value) {}
Json::Json(int64_t value) : kind_(Kind::kInt), int_(value) {}
Json::Json(uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) {
    kind_ = Kind::kInt;
    int_ = static_cast<int64_t>(value);
  } else {
    kind_ = Kind::kUint;
    uint_ = value;
  }
}
Json::Json(double value) : kind_(Kind::kDouble), double_(value) {}
Json::Json(const char* value) : kind_(Kind::kString), string_(value) {}
Json::Json(std::string value) : kind_(Kind::kString), string_(std::move(value)) {}
Json::Json(std::string_view value) : kind_(Kind::kString), string_(value) {}

Json Json::array(Array items) {
  Json out;
  out.kind_ = Kind::kArray;
  out.array_ = std::move(items);
  return out;
}

Json Json::object(std::initializer_list<Member> members) {
  Json out;
  out.kind_ = Kind::kObject;
  out.object_ = members;
  return out;
}

bool Json::is_integer() const {
  if (kind_ == Kind::kInt || kind_ == Kind::kUint) return true;
  return kind_ == Kind::kDouble && std::isfinite(double_) && double_ == std::floor(double_);
}
bool Json::is_number() const {
  return kind_ == Kind::kInt || kind_ == Kind::kUint || kind_ == Kind::kDouble;
}

const char* Json::kind_name() const {
  static constexpr const char* kNames[] = {"null",   "boolean", "integer", "integer",
                                           "number", "string",  "array",   "object"};
  return kNames[static_cast<size_t>(kind_)];
}

bool Json::as_bool(bool fallback) const {
  return kind_ == Kind::kBool ? bool_ : fallback;
}

int64_t Json::as_int(int64_t fallback) const {
  if (kind_ == Kind::kInt) return int_;
  if (kind_ == Kind::kDouble && is_integer() && std::fabs(double_) < 9.2e18) {
    return static_cast<int64_t>(double_);
  }
  return fallback;
}

uint64_t Json::as_uint(uint64_t fallback) const {
  if (kind_ == Kind::kUint) return uint_;
  const int64_t value = as_int(-1);
  return value >= 0 ? static_cast<uint64_t>(value) : fallback;
}

double Json::as_double(double fallback) const {
  if (kind_ == Kind::kDouble) return double_;
  if (kind_ == Kind::kInt) return static_cast<double>(int_);
  if (kind_ == Kind::kUint) return static_cast<double>(uint_);
  return fallback;
}

const std::string& Json::as_string() const {
  return kind_ == Kind::kString ? string_ : kEmptyText;
}

const Json::Array& Json::items() const {
  return kind_ == Kind::kArray ? array_ : kNoItems;
}
Json::Array& Json::items() {
  return array_;
}
const Json::Object& Json::members() const {
  return kind_ == Kind::kObject ? object_ : kNoMembers;
}
Json::Object& Json::members() {
  return object_;
}

size_t Json::size() const {
  if (kind_ == Kind::kArray) return array_.size();
  return kind_ == Kind::kObject ? object_.size() : 0;
}

void Json::push_back(Json value) {
  if (kind_ == Kind::kNull) kind_ = Kind::kArray;
  if (kind_ == Kind::kArray) array_.push_back(std::move(value));
}

const Json* Json::find(std::string_view key) const {
  for (const Member& member : members()) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}
Json* Json::find(std::string_view key) {
  return const_cast<Json*>(static_cast<const Json*>(this)->find(key));
}

Json& Json::operator[](std::string_view key) {
  if (Json* found = find(key)) return *found;
  if (kind_ != Kind::kObject) *this = object();
  object_.emplace_back(std::string(key), Json());
  return object_.back().second;
}
const Json& Json::operator[](std::string_view key) const {
  const Json* found = find(key);
  return found != nullptr ? *found : kNull;
}
const Json& Json::at(size_t index) const {
  return index < items().size() ? items()[index] : kNull;
}

bool Json::erase(std::string_view key) {
  const auto found = std::find_if(object_.begin(), object_.end(),
                                  [&](const Member& member) { return member.first == key; });
  if (found == object_.end()) return false;
  object_.erase(found);
  return true;
}

const Json* Json::pointer(std::string_view path) const {
  const Json* at = this;
  while (!path.empty()) {
    if (path[0] != '/') return nullptr;
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    std::string part;
    for (size_t i = 0; i < end; ++i) {
      if (path[i] == '~' && i + 1 < end && (path[i + 1] == '0' || path[i + 1] == '1')) {
        part += path[++i] == '0' ? '~' : '/';
      } else {
        part += path[i];
      }
    }
    path.remove_prefix(end);
    if (at->is_object()) {
      at = at->find(part);
    } else if (at->is_array()) {
      size_t index = 0;
      const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
      const bool is_index = read.ec == std::errc() && read.ptr == part.data() + part.size() &&
                            (part.size() == 1 || part[0] != '0');
      at = is_index && index < at->size() ? &at->items()[index] : nullptr;
    } else {
      at = nullptr;
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

bool Json::operator==(const Json& other) const {
  if (is_number() && other.is_number()) return compare_numbers(*this, other) == 0;
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::kBool:
      return bool_ == other.bool_;
    case Kind::kString:
      return string_ == other.string_;
    case Kind::kArray:
      return array_ == other.array_;
    case Kind::kObject:
      return object_.size() == other.object_.size() &&
             std::all_of(object_.begin(), object_.end(), [&](const Member& member) {
               const Json* twin = other.find(member.first);
               return twin != nullptr && member.second == *twin;
             });
    default:
      return true;
  }
}

std::partial_ordering compare_numbers(const Json& a, const Json& b) {
  if (!a.is_number() || !b.is_number()) return std::partial_ordering::unordered;
  const bool a_is_double = a.kind() == Json::Kind::kDouble;
  const bool b_is_double = b.kind() == Json::Kind::kDouble;
  if (a_is_double && b_is_double) return a.as_double() <=> b.as_double();
  if (b_is_double) return compare_exactly(integer_of(a), b.as_double());
  if (a_is_double) return 0 <=> compare_exactly(integer_of(b), a.as_double());
  return integer_of(a) <=> integer_of(b);
}

std::string Json::dump(int indent) const {
  Writer writer({indent, false});
  writer.write(*this, 0);
  return std::move(writer.out);
}

std::string Json::canonical() const {
  Writer writer({-1, true});
  writer.write(*this, 0);
  return std::move(writer.out);
}

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.size_bytes_max) {
    return Error(Code::kResourceExhausted,
                 "The JSON text has " + std::to_string(text.size()) + " bytes; at most " +
                     std::to_string(limits.size_bytes_max) + " are read.");
  }
  if (const size_t bad = utf8_error_offset(text); bad != SIZE_MAX) {
    return Error(Code::kInvalidArgument, "The JSON text is not UTF-8.", "Save it as UTF-8.")
        .at_byte(static_cast<int64_t>(bad));
  }
  Json root;
  Builder builder(root, limits);
  const char* last = text.data();
  const bool done =
      nlohmann::json::sax_parse(CountingIterator(text.data(), &last),
                                CountingIterator(text.data() + text.size(), &last), &builder);
  if (done) return root;
  if (builder.error.byte_offset < 0) builder.error.byte_offset = last - text.data();
  return std::move(builder.error);
}

std::string json_quote(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace mortise::base
