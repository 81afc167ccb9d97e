// See json_read.h. simdjson's DOM dispatches to the machine's kernel at run time; what it refuses
// is parsed once more by parse_json, whose message knows the byte.
#include "base/json_read.h"

#include <simdjson.h>

#include <algorithm>
#include <string>
#include <unordered_set>

namespace mortise::base {

struct RowReader::State {
  JsonLimits limits;
  simdjson::dom::parser parser;
};

namespace {

constexpr size_t kManyKeys = 16;

bool has_key(const Json& object, const std::unordered_set<std::string_view>& keys,
             std::string_view key) {
  return object.size() < kManyKeys ? object.contains(key) : keys.contains(key);
}

// False when something needs the words of parse_json: a duplicate key.
bool convert(const simdjson::dom::element& from, Json& to) {
  using Type = simdjson::dom::element_type;
  switch (from.type()) {
    case Type::ARRAY: {
      const simdjson::dom::array items = from.get_array().value_unsafe();
      to = Json::array();
      to.items().reserve(items.size());
      for (const simdjson::dom::element item : items) {
        to.items().emplace_back();
        if (!convert(item, to.items().back())) return false;
      }
      return true;
    }
    case Type::OBJECT: {
      const simdjson::dom::object fields = from.get_object().value_unsafe();
      to = Json::object();
      to.members().reserve(fields.size());
      std::unordered_set<std::string_view> keys;
      for (const auto field : fields) {
        if (to.size() == kManyKeys && keys.empty()) {
          for (const auto earlier : fields) {
            if (keys.size() == kManyKeys) break;
            keys.insert(earlier.key);
          }
        }
        if (has_key(to, keys, field.key)) return false;
        if (to.size() >= kManyKeys) keys.insert(field.key);
        to.members().emplace_back(std::string(field.key), Json());
        if (!convert(field.value, to.members().back().second)) return false;
      }
      return true;
    }
    case Type::INT64:
      to = Json(from.get_int64().value_unsafe());
      return true;
    case Type::UINT64:
      to = Json(from.get_uint64().value_unsafe());
      return true;
    case Type::DOUBLE:
      to = Json(from.get_double().value_unsafe());
      return true;
    case Type::STRING:
      to = Json(from.get_string().value_unsafe());
      return true;
    case Type::BOOL:
      to = Json(from.get_bool().value_unsafe());
      return true;
    case Type::NULL_VALUE:
      to = Json();
      return true;
  }
  return false;
}

}  // namespace

RowReader::RowReader(const JsonLimits& limits) : state_(std::make_unique<State>()) {
  state_->limits = limits;
}
RowReader::~RowReader() = default;
RowReader::RowReader(RowReader&&) noexcept = default;
RowReader& RowReader::operator=(RowReader&&) noexcept = default;

Result<Json> RowReader::parse(std::string_view row) {
  if (row.size() > state_->limits.size_bytes_max) return parse_json(row, state_->limits);
  const auto depth = static_cast<size_t>(state_->limits.depth_max);
  if (state_->parser.capacity() < row.size() || state_->parser.max_depth() != depth) {
    if (state_->parser.allocate(std::max(row.size(), size_t{1} << 16), depth) !=
        simdjson::SUCCESS) {
      return Error(Code::kResourceExhausted,
                   "No memory to read a row of " + std::to_string(row.size()) + " bytes.");
    }
  }
  simdjson::dom::element root;
  Json value;
  if (state_->parser.parse(row.data(), row.size()).get(root) == simdjson::SUCCESS &&
      convert(root, value)) {
    return value;
  }
  return parse_json(row, state_->limits);
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
