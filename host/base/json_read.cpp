// See json_read.h. simdjson's DOM dispatches to the machine's kernel at run time; what it refuses
// is parsed once more by parse_json, whose message knows the byte.
#include "base/json_read.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <string>
#include <unordered_set>

namespace mortise::base {

struct RowReader::State {
  JsonLimits limits;
  simdjson::dom::parser parser;
  Tape tape;
  Json slow;  // what parse_json read where simdjson would not
};

namespace {

constexpr size_t kManyKeys = 16;

// Lays values on the tape; false when something needs the words of parse_json: a duplicate key.
class Layer {
 public:
  explicit Layer(std::vector<TapeNode>& nodes) : nodes_(nodes) {}

  bool lay(const simdjson::dom::element& from, std::string_view name) {
    using Type = simdjson::dom::element_type;
    const size_t at = nodes_.size();
    TapeNode& node = nodes_.emplace_back();
    node.name = name;
    switch (from.type()) {
      case Type::ARRAY:
        return array(from.get_array().value_unsafe(), at);
      case Type::OBJECT:
        return object(from.get_object().value_unsafe(), at);
      case Type::INT64:
        node.kind = Json::Kind::kInt;
        node.int_value = from.get_int64().value_unsafe();
        return true;
      case Type::UINT64:
        return number(Json(from.get_uint64().value_unsafe()), node);
      case Type::DOUBLE:
        node.kind = Json::Kind::kDouble;
        node.double_value = from.get_double().value_unsafe();
        return true;
      case Type::STRING:
        node.kind = Json::Kind::kString;
        node.text = from.get_string().value_unsafe();
        return true;
      case Type::BOOL:
        node.kind = Json::Kind::kBool;
        node.bool_value = from.get_bool().value_unsafe();
        return true;
      case Type::NULL_VALUE:
        return true;
    }
    return false;
  }

 private:
  bool number(const Json& value, TapeNode& node) {
    node.kind = value.kind();
    node.uint_value = value.as_uint();
    return true;
  }
  bool array(const simdjson::dom::array& items, size_t at) {
    uint32_t count = 0;
    for (const simdjson::dom::element item : items) {
      if (!lay(item, {})) return false;
      ++count;
    }
    return close(Json::Kind::kArray, at, count);
  }
  bool object(const simdjson::dom::object& fields, size_t at) {
    uint32_t count = 0;
    for (const auto field : fields) {
      if (!lay(field.value, field.key)) return false;
      ++count;
    }
    close(Json::Kind::kObject, at, count);
    return has_different_names(TapeValue(&nodes_[at]));
  }
  bool close(Json::Kind kind, size_t at, uint32_t count) {
    nodes_[at].kind = kind;
    nodes_[at].count = count;
    nodes_[at].size = static_cast<uint32_t>(nodes_.size() - at);
    return true;
  }
  static bool has_different_names(TapeValue object) {
    if (object.size() > kManyKeys) {
      std::unordered_set<std::string_view> names;
      for (const TapeValue member : object) {
        if (!names.insert(member.name()).second) return false;
      }
      return true;
    }
    std::array<std::string_view, kManyKeys> names;
    size_t count = 0;
    for (const TapeValue member : object) {
      const std::string_view name = member.name();
      for (size_t i = 0; i < count; ++i) {
        if (names[i] == name) return false;
      }
      names[count++] = name;
    }
    return true;
  }

  std::vector<TapeNode>& nodes_;
};

}  // namespace

RowReader::RowReader(const JsonLimits& limits) : state_(std::make_unique<State>()) {
  state_->limits = limits;
}
RowReader::~RowReader() = default;
RowReader::RowReader(RowReader&&) noexcept = default;
RowReader& RowReader::operator=(RowReader&&) noexcept = default;

Result<TapeValue> RowReader::scan(std::string_view row) {
  const auto by_words = [&]() -> Result<TapeValue> {
    MORTISE_ASSIGN(state_->slow, parse_json(row, state_->limits));
    state_->tape.set(state_->slow);
    return state_->tape.root();
  };
  if (row.size() > state_->limits.size_bytes_max) return by_words();
  const auto depth = static_cast<size_t>(state_->limits.depth_max);
  if (state_->parser.capacity() < row.size() || state_->parser.max_depth() != depth) {
    if (state_->parser.allocate(std::max(row.size(), size_t{1} << 16), depth) !=
        simdjson::SUCCESS) {
      return Error(Code::kResourceExhausted,
                   "No memory to read a row of " + std::to_string(row.size()) + " bytes.");
    }
  }
  simdjson::dom::element root;
  state_->tape.clear();
  if (state_->parser.parse(row.data(), row.size()).get(root) != simdjson::SUCCESS ||
      !Layer(state_->tape.nodes()).lay(root, {})) {
    return by_words();
  }
  return state_->tape.root();
}

Result<Json> RowReader::parse(std::string_view row) {
  MORTISE_ASSIGN(const TapeValue value, scan(row));
  return value.to_json();
}

Result<Json> RowReader::parse(std::string_view row, int64_t row_number, int64_t row_offset) {
  Result<Json> value = parse(row);
  if (!value.ok()) {
    value.error()
        .at_row(row_number)
        .at_byte(row_offset + std::max<int64_t>(value.error().byte_offset, 0));
  }
  return value;
}

}  // namespace mortise::base
