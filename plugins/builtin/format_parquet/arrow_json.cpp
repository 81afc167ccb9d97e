// See arrow_json.h.
#include "arrow_json.h"

#include <arrow/extension_type.h>
#include <arrow/scalar.h>
#include <arrow/util/float16.h>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/utf8.hpp>

#include <cmath>

namespace mortise::format_parquet {
namespace {

constexpr int kDepthMax = 64;

template <class ArrayType>
void append_integer(std::string* out, const arrow::Array& array, int64_t index) {
  *out += std::to_string(static_cast<const ArrayType&>(array).Value(index));
}

void append_real(std::string* out, double value) {
  if (!std::isfinite(value)) {
    *out += "null";
  } else {
    sdk::append_json_number(out, value);
  }
}

// The shortest text of a float is not that of the same number as a double: 0.1f stays 0.1.
void append_float(std::string* out, float value) {
  if (!std::isfinite(value)) {
    *out += "null";
    return;
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  out->append(text, end.ptr);
}

void append_text(std::string* out, std::string_view text) {
  if (sdk::find_invalid_utf8(text) >= 0) throw sdk::invalid_argument("A text is not UTF-8.");
  sdk::append_json_text(out, text);
}

void append_range(std::string* out, const arrow::Array& items, int64_t begin, int64_t end,
                  int depth) {
  *out += '[';
  for (int64_t i = begin; i < end; ++i) {
    if (i != begin) *out += ',';
    append_value(out, items, i, depth + 1);
  }
  *out += ']';
}

template <class ListType>
void append_list(std::string* out, const arrow::Array& array, int64_t index, int depth) {
  const auto& list = static_cast<const ListType&>(array);
  const int64_t begin = list.value_offset(index);
  append_range(out, *list.values(), begin, begin + list.value_length(index), depth);
}

void append_struct(std::string* out, const arrow::StructArray& array, int64_t index, int depth) {
  *out += '{';
  for (int i = 0; i < array.num_fields(); ++i) {
    if (i != 0) *out += ',';
    append_text(out, array.struct_type()->field(i)->name());
    *out += ':';
    append_value(out, *array.field(i), index, depth + 1);
  }
  *out += '}';
}

void append_map(std::string* out, const arrow::MapArray& map, int64_t index, int depth) {
  const int64_t begin = map.value_offset(index), end = begin + map.value_length(index);
  const bool is_object = map.keys()->type_id() == arrow::Type::STRING;
  *out += is_object ? '{' : '[';
  for (int64_t i = begin; i < end; ++i) {
    if (i != begin) *out += ',';
    if (!is_object) *out += '[';
    append_value(out, *map.keys(), i, depth + 1);
    *out += is_object ? ':' : ',';
    append_value(out, *map.items(), i, depth + 1);
    if (!is_object) *out += ']';
  }
  *out += is_object ? '}' : ']';
}

// Types that stand in JSON as Arrow prints them.
void append_printed(std::string* out, const arrow::Array& array, int64_t index) {
  auto scalar = array.GetScalar(index);
  if (!scalar.ok()) {
    throw sdk::unimplemented("The type " + array.type()->ToString() + " has no form in a row.");
  }
  append_text(out, (*scalar)->ToString());
}

bool append_number(std::string* out, const arrow::Array& array, int64_t index) {
  switch (array.type_id()) {
    case arrow::Type::INT8:
      append_integer<arrow::Int8Array>(out, array, index);
      return true;
    case arrow::Type::INT16:
      append_integer<arrow::Int16Array>(out, array, index);
      return true;
    case arrow::Type::INT32:
      append_integer<arrow::Int32Array>(out, array, index);
      return true;
    case arrow::Type::INT64:
      append_integer<arrow::Int64Array>(out, array, index);
      return true;
    case arrow::Type::UINT8:
      append_integer<arrow::UInt8Array>(out, array, index);
      return true;
    case arrow::Type::UINT16:
      append_integer<arrow::UInt16Array>(out, array, index);
      return true;
    case arrow::Type::UINT32:
      append_integer<arrow::UInt32Array>(out, array, index);
      return true;
    case arrow::Type::UINT64:
      append_integer<arrow::UInt64Array>(out, array, index);
      return true;
    case arrow::Type::HALF_FLOAT:
      append_float(out, arrow::util::Float16::FromBits(
                            static_cast<const arrow::HalfFloatArray&>(array).Value(index))
                            .ToFloat());
      return true;
    case arrow::Type::FLOAT:
      append_float(out, static_cast<const arrow::FloatArray&>(array).Value(index));
      return true;
    case arrow::Type::DOUBLE:
      append_real(out, static_cast<const arrow::DoubleArray&>(array).Value(index));
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

void append_value(std::string* out, const arrow::Array& array, int64_t index, int depth) {
  if (depth > kDepthMax) throw sdk::resource_exhausted("A value is nested too deep.");
  if (array.IsNull(index)) {
    *out += "null";
    return;
  }
  if (append_number(out, array, index)) return;
  switch (array.type_id()) {
    case arrow::Type::NA:
      *out += "null";
      return;
    case arrow::Type::BOOL:
      *out += static_cast<const arrow::BooleanArray&>(array).Value(index) ? "true" : "false";
      return;
    case arrow::Type::STRING:
      return append_text(out, static_cast<const arrow::StringArray&>(array).GetView(index));
    case arrow::Type::LARGE_STRING:
      return append_text(out, static_cast<const arrow::LargeStringArray&>(array).GetView(index));
    case arrow::Type::BINARY:
      return append_text(out,
                         to_base64(static_cast<const arrow::BinaryArray&>(array).GetView(index)));
    case arrow::Type::LARGE_BINARY:
      return append_text(
          out, to_base64(static_cast<const arrow::LargeBinaryArray&>(array).GetView(index)));
    case arrow::Type::FIXED_SIZE_BINARY:
      return append_text(
          out, to_base64(static_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(index)));
    case arrow::Type::LIST:
      return append_list<arrow::ListArray>(out, array, index, depth);
    case arrow::Type::LARGE_LIST:
      return append_list<arrow::LargeListArray>(out, array, index, depth);
    case arrow::Type::FIXED_SIZE_LIST:
      return append_list<arrow::FixedSizeListArray>(out, array, index, depth);
    case arrow::Type::MAP:
      return append_map(out, static_cast<const arrow::MapArray&>(array), index, depth);
    case arrow::Type::STRUCT:
      return append_struct(out, static_cast<const arrow::StructArray&>(array), index, depth);
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      return append_value(out, *coded.dictionary(), coded.GetValueIndex(index), depth + 1);
    }
    case arrow::Type::EXTENSION:
      return append_value(out, *static_cast<const arrow::ExtensionArray&>(array).storage(), index,
                          depth + 1);
    default:
      return append_printed(out, array, index);
  }
}

}  // namespace mortise::format_parquet
