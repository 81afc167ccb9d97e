// The check of arrays that come from a plugin, and reads of checked ones. See arrow_rows.h.
#include <cstring>

#include "base/crypto.h"
#include "base/utf8.h"
#include "plugin/arrow_rows.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

constexpr int64_t kLengthMax = int64_t{1} << 40;

Error broken(const Column& column, const std::string& text) {
  return Error(Code::kDataLoss,
               "The Arrow array of column \"" + column.name + "\" (format \"" + column.format +
                   "\") " + text,
               "Report this to the vendor of the pack.")
      .at_field(column.name);
}

bool is_wide(const std::string& format) {
  return format == "U" || format == "Z" || format == "+L";
}
bool has_bytes(const std::string& format) {
  return format == "u" || format == "U" || format == "z" || format == "Z";
}

int64_t offset_at(const ArrowArray& array, bool wide, int64_t index) {
  if (wide) return static_cast<const int64_t*>(array.buffers[1])[index];
  return static_cast<const int32_t*>(array.buffers[1])[index];
}

// Offsets of rows [offset, offset + length] must grow; the last one is the extent.
Status check_offsets(const Column& column, const ArrowArray& array, int64_t& out_extent) {
  const bool wide = is_wide(column.format);
  out_extent = 0;
  if (array.buffers[1] == nullptr) {
    if (array.length == 0) return {};
    return broken(column, "has no offsets.");
  }
  int64_t previous = offset_at(array, wide, array.offset);
  if (previous < 0) return broken(column, "has a negative offset.");
  for (int64_t i = 1; i <= array.length; ++i) {
    const int64_t next = offset_at(array, wide, array.offset + i);
    if (next < previous) {
      return broken(column, "has offsets that shrink at row " + std::to_string(i) + ".");
    }
    previous = next;
  }
  out_extent = previous;
  return {};
}

Status check_counts(const Column& column, const ArrowArray& array) {
  if (array.release == nullptr) return broken(column, "was released.");
  if (array.length < 0 || array.length > kLengthMax || array.offset < 0 ||
      array.offset > kLengthMax) {
    return broken(column, "has length " + std::to_string(array.length) + " and offset " +
                              std::to_string(array.offset) + ".");
  }
  if (array.null_count < -1 || array.null_count > array.length) {
    return broken(column, "counts " + std::to_string(array.null_count) + " nulls in " +
                              std::to_string(array.length) + " rows.");
  }
  if (array.dictionary != nullptr) return broken(column, "has a dictionary.");
  const int64_t buffers = column.format == "+s" ? 1 : has_bytes(column.format) ? 3 : 2;
  if (array.n_buffers != buffers || array.buffers == nullptr) {
    return broken(column, "has " + std::to_string(array.n_buffers) + " buffers instead of " +
                              std::to_string(buffers) + ".");
  }
  const auto children = static_cast<int64_t>(column.children.size());
  if (array.n_children != children || (children > 0 && array.children == nullptr)) {
    return broken(column, "has " + std::to_string(array.n_children) + " children instead of " +
                              std::to_string(children) + ".");
  }
  if (array.null_count > 0 && array.buffers[0] == nullptr) {
    return broken(column, "counts nulls and has no validity buffer.");
  }
  return {};
}

// The length that a child must have at least.
Status check_child(const Column& column, const ArrowArray& array, size_t index, int64_t least) {
  const ArrowArray* child = array.children[index];
  if (child == nullptr) return broken(column, "lacks a child array.");
  MORTISE_TRY(check_array(column.children[index], *child));
  if (child->length < least) {
    return broken(column, "has a child of " + std::to_string(child->length) +
                              " rows where it needs " + std::to_string(least) + ".");
  }
  return {};
}

}  // namespace

Status check_array(const Column& column, const ArrowArray& array) {
  MORTISE_TRY(check_counts(column, array));
  if (column.format == "+s") {
    for (size_t i = 0; i < column.children.size(); ++i) {
      MORTISE_TRY(check_child(column, array, i, array.offset + array.length));
    }
  } else if (column.format == "+l" || column.format == "+L") {
    int64_t extent = 0;
    MORTISE_TRY(check_offsets(column, array, extent));
    MORTISE_TRY(check_child(column, array, 0, extent));
  } else if (has_bytes(column.format)) {
    int64_t extent = 0;
    MORTISE_TRY(check_offsets(column, array, extent));
    if (extent > 0 && array.buffers[2] == nullptr) return broken(column, "has no data.");
  } else if (array.length > 0 && array.buffers[1] == nullptr) {
    return broken(column, "has no data.");
  }
  if (column.is_nullable || array.null_count == 0) return {};
  for (int64_t i = 0; i < array.length; ++i) {
    if (is_null_at(array, i)) {
      return broken(column, "holds a null in row " + std::to_string(i + 1) +
                                ", which its schema does not allow.");
    }
  }
  return {};
}

bool is_null_at(const ArrowArray& array, int64_t row) {
  if (array.null_count == 0 || array.n_buffers == 0 || array.buffers[0] == nullptr) return false;
  const int64_t bit = array.offset + row;
  return (static_cast<const uint8_t*>(array.buffers[0])[bit / 8] >> (bit % 8) & 1) == 0;
}

std::string_view text_at(const Column& column, const ArrowArray& array, int64_t row) {
  if (is_null_at(array, row)) return {};
  const bool wide = is_wide(column.format);
  const int64_t begin = offset_at(array, wide, array.offset + row);
  const int64_t end = offset_at(array, wide, array.offset + row + 1);
  if (end == begin) return {};
  return {static_cast<const char*>(array.buffers[2]) + begin, static_cast<size_t>(end - begin)};
}

int64_t int64_at(const ArrowArray& array, int64_t row) {
  return static_cast<const int64_t*>(array.buffers[1])[array.offset + row];
}

std::pair<int64_t, int64_t> list_range_at(const Column& column, const ArrowArray& array,
                                          int64_t row) {
  if (is_null_at(array, row)) return {0, 0};
  const bool wide = is_wide(column.format);
  return {offset_at(array, wide, array.offset + row),
          offset_at(array, wide, array.offset + row + 1)};
}

std::vector<int32_t> int32_list_at(const ArrowArray& array, int64_t row) {
  if (is_null_at(array, row)) return {};
  const int64_t begin = offset_at(array, false, array.offset + row);
  const int64_t end = offset_at(array, false, array.offset + row + 1);
  if (begin == end) return {};
  const ArrowArray& items = *array.children[0];
  const auto* data = static_cast<const int32_t*>(items.buffers[1]) + items.offset;
  return std::vector<int32_t>(data + begin, data + end);
}

namespace {

template <class T>
T number_at(const ArrowArray& array, int64_t row) {
  return static_cast<const T*>(array.buffers[1])[array.offset + row];
}

Json scalar_of(const std::string& format, const ArrowArray& array, int64_t row) {
  switch (format[0]) {
    case 'b': {
      const int64_t bit = array.offset + row;
      return (static_cast<const uint8_t*>(array.buffers[1])[bit / 8] >> (bit % 8) & 1) != 0;
    }
    case 'c':
      return int64_t{number_at<int8_t>(array, row)};
    case 'C':
      return int64_t{number_at<uint8_t>(array, row)};
    case 's':
      return int64_t{number_at<int16_t>(array, row)};
    case 'S':
      return int64_t{number_at<uint16_t>(array, row)};
    case 'i':
      return int64_t{number_at<int32_t>(array, row)};
    case 'I':
      return int64_t{number_at<uint32_t>(array, row)};
    case 'l':
      return number_at<int64_t>(array, row);
    case 'L':
      return number_at<uint64_t>(array, row);
    case 'f':
      return double{number_at<float>(array, row)};
    default:
      return number_at<double>(array, row);
  }
}

}  // namespace

Json row_of(const Column& column, const ArrowArray& array, int64_t row) {
  if (is_null_at(array, row)) return {};
  if (column.format == "+s") {
    Json object = Json::object();
    for (size_t i = 0; i < column.children.size(); ++i) {
      object.members().emplace_back(
          column.children[i].name,
          row_of(column.children[i], *array.children[i], array.offset + row));
    }
    return object;
  }
  if (column.format == "+l" || column.format == "+L") {
    Json list = Json::array();
    const auto [begin, end] = list_range_at(column, array, row);
    for (int64_t i = begin; i < end; ++i) {
      list.push_back(row_of(column.children[0], *array.children[0], i));
    }
    return list;
  }
  if (has_bytes(column.format)) {
    const std::string_view bytes = text_at(column, array, row);
    if (column.format == "u" || column.format == "U") return bytes;
    return base::to_base64(base::as_bytes(bytes));
  }
  return scalar_of(column.format, array, row);
}

}  // namespace mortise::plugin
