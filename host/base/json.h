// JSON values: parse, build, walk, write. The one door to nlohmann/json, which only json.cpp
// includes (its header costs two seconds a file). For rows in bulk use base/json_read.
// Objects keep the order of their keys; a duplicate key is an error. Integers stay exact in the
// range of int64 and uint64; others are double.
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mortise::base {

class Json {
 public:
  enum class Kind : uint8_t { kNull, kBool, kInt, kUint, kDouble, kString, kArray, kObject };
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value);
  Json(int value);
  Json(int64_t value);
  Json(uint64_t value);  // stored as kInt when it fits
  Json(double value);
  Json(const char* value);
  Json(std::string value);
  Json(std::string_view value);
  static Json array(Array items = {});
  static Json object(std::initializer_list<Member> members = {});

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_bool() const { return kind_ == Kind::kBool; }
  bool is_integer() const;  // also a double without a fraction, as JSON Schema counts it
  bool is_number() const;
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_array() const { return kind_ == Kind::kArray; }
  bool is_object() const { return kind_ == Kind::kObject; }
  const char* kind_name() const;  // "object", "integer", ... for messages

  // Typed reads with a fallback for another kind; never throw.
  bool as_bool(bool fallback = false) const;
  int64_t as_int(int64_t fallback = 0) const;
  uint64_t as_uint(uint64_t fallback = 0) const;
  double as_double(double fallback = 0) const;
  const std::string& as_string() const;  // empty for another kind

  // Containers. items()/members() are empty for another kind.
  const Array& items() const;
  Array& items();
  const Object& members() const;
  Object& members();
  size_t size() const;                           // items or members; 0 for scalars
  void push_back(Json value);                    // null becomes an array
  const Json* find(std::string_view key) const;  // nullptr when absent or not an object
  Json* find(std::string_view key);
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  Json& operator[](std::string_view key);              // adds null; null becomes an object
  const Json& operator[](std::string_view key) const;  // a null when absent
  const Json& at(size_t index) const;                  // a null when out of range
  bool erase(std::string_view key);
  // RFC 6901: "" is the value itself; nullptr when absent.
  const Json* pointer(std::string_view path) const;

  bool operator==(const Json& other) const;  // numbers by value; objects regardless of order

  // UTF-8, no trailing newline. indent < 0: one line, ", " and ": " never added.
  std::string dump(int indent = -1) const;
  // RFC 8785-like canonical form: keys sorted by their bytes, shortest numbers, a whole number of
  // 64 bits without fraction or exponent. Equal values, equal bytes.
  std::string canonical() const;

 private:
  Kind kind_ = Kind::kNull;
  bool bool_ = false;
  union {
    int64_t int_ = 0;
    uint64_t uint_;
    double double_;
  };
  std::string string_;
  Array array_;
  Object object_;
};

// Two numbers by value, exactly, whatever their kinds: 9007199254740993 is above
// 9007199254740992.0. Unordered when one is NaN or no number.
std::partial_ordering compare_numbers(const Json& a, const Json& b);

struct JsonLimits {
  size_t size_bytes_max = 64u << 20;
  int depth_max = 128;
};

// Parses exactly one value. Errors: INVALID_ARGUMENT with byte_offset for bad syntax, bad UTF-8,
// a duplicate key or trailing text; RESOURCE_EXHAUSTED over a limit. [any]
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

// `text` as a JSON string with its quotes.
std::string json_quote(std::string_view text);

}  // namespace mortise::base
