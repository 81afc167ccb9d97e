// mortise/cpp/json.hpp: a JSON document as a compact tree, for configurations and tokenizer.json.
//
// Used by plugins; json_parse.hpp makes documents. A Json is a light handle, valid as long as its
// JsonDocument. Asking for a wrong type throws INVALID_ARGUMENT with the JSON pointer of the value.
#ifndef MORTISE_CPP_JSON_HPP
#define MORTISE_CPP_JSON_HPP

#include <mortise/cpp/status.hpp>

#include <vector>

namespace mortise::sdk {

enum class JsonType : uint8_t { kMissing, kNull, kBool, kInteger, kDouble, kText, kArray, kObject };

namespace detail {

// One value; an array's or object's values follow it, an object's as key, value, key, value.
struct JsonNode {
  JsonType type = JsonType::kMissing;
  uint32_t end = 0;    // index after the last node of this value
  uint32_t count = 0;  // members of an array or object
  uint32_t size = 0;   // bytes of a text
  union {
    int64_t integer = 0;  // also 0 or 1 of a bool
    double real;
    uint64_t offset;  // of a text in the document's characters
  };
};

struct JsonTree {
  std::string characters;  // the source, its texts unescaped in place
  std::vector<JsonNode> nodes;
};

// JSON pointer of a node. Walks from the root: for messages only.
inline std::string json_pointer(const JsonTree& tree, uint32_t wanted) {
  std::string pointer;
  uint32_t at = 0;
  while (at != wanted && at < wanted && wanted < tree.nodes[at].end) {
    const bool is_object = tree.nodes[at].type == JsonType::kObject;
    uint32_t child = at + 1;
    for (uint32_t index = 0;; ++index) {
      const JsonNode& node = tree.nodes[child];
      const uint32_t value = is_object ? child + 1 : child;
      if (wanted < tree.nodes[value].end) {
        pointer += '/';
        pointer +=
            is_object ? tree.characters.substr(node.offset, node.size) : std::to_string(index);
        at = value;
        break;
      }
      child = tree.nodes[value].end;
    }
  }
  return pointer;
}

}  // namespace detail

class Json {
 public:
  Json() = default;
  Json(const detail::JsonTree* tree, uint32_t index) : tree_(tree), index_(index) {}

  JsonType type() const { return tree_ == nullptr ? JsonType::kMissing : node().type; }
  bool exists() const { return type() != JsonType::kMissing; }
  bool is_null() const { return type() == JsonType::kNull; }
  bool is_bool() const { return type() == JsonType::kBool; }
  bool is_integer() const { return type() == JsonType::kInteger; }
  bool is_number() const { return is_integer() || type() == JsonType::kDouble; }
  bool is_text() const { return type() == JsonType::kText; }
  bool is_array() const { return type() == JsonType::kArray; }
  bool is_object() const { return type() == JsonType::kObject; }

  bool as_bool() const {
    expect(is_bool(), "true or false");
    return node().integer != 0;
  }
  int64_t as_integer() const {
    expect(is_integer(), "an integer");
    return node().integer;
  }
  double as_double() const {
    expect(is_number(), "a number");
    return is_integer() ? static_cast<double>(node().integer) : node().real;
  }
  // Valid as long as the document; unescaped UTF-8.
  std::string_view as_text() const {
    expect(is_text(), "a text");
    return {tree_->characters.data() + node().offset, node().size};
  }

  // The member of that name; a Json that does not exist when there is none, or this is no object.
  // Takes time in the number of members: walk large objects with for_each_member.
  Json operator[](std::string_view key) const {
    if (!is_object()) return {};
    for (uint32_t at = index_ + 1; at < node().end; at = tree_->nodes[at + 1].end) {
      if (Json(tree_, at).as_text() == key) return Json(tree_, at + 1);
    }
    return {};
  }
  // Members of an array or object, else 0.
  uint32_t size() const { return is_array() || is_object() ? node().count : 0; }

  // Calls visit(Json item) for each item of an array, in order.
  template <class Visit>
  void for_each_item(Visit&& visit) const {
    expect(is_array(), "an array");
    for (uint32_t at = index_ + 1; at < node().end; at = tree_->nodes[at].end) {
      visit(Json(tree_, at));
    }
  }
  // Calls visit(std::string_view key, Json value) for each member of an object, in order.
  template <class Visit>
  void for_each_member(Visit&& visit) const {
    expect(is_object(), "an object");
    for (uint32_t at = index_ + 1; at < node().end; at = tree_->nodes[at + 1].end) {
      visit(Json(tree_, at).as_text(), Json(tree_, at + 1));
    }
  }
  // The items of an array as a list, for access by index.
  std::vector<Json> items() const {
    std::vector<Json> list;
    list.reserve(size());
    for_each_item([&list](Json item) { list.push_back(item); });
    return list;
  }

  // The member as that type, or the default when it is missing or null.
  bool get(std::string_view key, bool otherwise) const {
    const Json member = (*this)[key];
    return member.exists() && !member.is_null() ? member.as_bool() : otherwise;
  }
  int64_t get(std::string_view key, int64_t otherwise) const {
    const Json member = (*this)[key];
    return member.exists() && !member.is_null() ? member.as_integer() : otherwise;
  }
  int64_t get(std::string_view key, int otherwise) const { return get(key, int64_t{otherwise}); }
  double get(std::string_view key, double otherwise) const {
    const Json member = (*this)[key];
    return member.exists() && !member.is_null() ? member.as_double() : otherwise;
  }
  std::string_view get(std::string_view key, const char* otherwise) const {
    const Json member = (*this)[key];
    return member.exists() && !member.is_null() ? member.as_text() : std::string_view(otherwise);
  }

  // JSON pointer of this value in its document.
  std::string pointer() const {
    return tree_ == nullptr ? std::string() : detail::json_pointer(*tree_, index_);
  }

 private:
  const detail::JsonNode& node() const { return tree_->nodes[index_]; }
  void expect(bool holds, std::string_view wanted) const {
    if (holds) return;
    throw invalid_argument("\"" + pointer() + "\" " +
                           (exists() ? "is not " : "is missing, expected ") + std::string(wanted) +
                           ".")
        .at("", -1, -1, pointer());
  }

  const detail::JsonTree* tree_ = nullptr;
  uint32_t index_ = 0;
};

}  // namespace mortise::sdk

#endif
