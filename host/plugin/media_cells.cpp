// See media_cells.h.
#include "plugin/media_cells.h"

#include <mortise/kind/format.h>

#include <utility>

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

bool is_medium_struct(const Column& column) {
  static constexpr std::pair<const char*, const char*> kMembers[] = {
      {"name", "uU"}, {"bytes", "zZ"}, {"member", "uU"}, {"offset", "l"}, {"length", "l"}};
  if (column.format != "+s" || column.children.size() != std::size(kMembers)) return false;
  for (size_t i = 0; i < std::size(kMembers); ++i) {
    const Column& child = column.children[i];
    if (child.name != kMembers[i].first || child.format.size() != 1 ||
        std::string_view(kMembers[i].second).find(child.format) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool is_list(const Column& column) {
  return column.format == "+l" || column.format == "+L";
}

Error broken(const Column& column, const std::string& text) {
  return Error(Code::kDataLoss, "The column of media \"" + column.name + "\" " + text,
               "Report this to the vendor of the pack.")
      .at_field(column.name);
}

Result<MediumCell> cell_at(const Column& column, const Column& shape, const ArrowArray& array,
                           int64_t row) {
  MediumCell cell;
  if (is_null_at(array, row)) {
    cell.is_null = true;
    return cell;
  }
  const int64_t inner = array.offset + row;
  cell.name = text_at(shape.children[0], *array.children[0], inner);
  const bool has_bytes = !is_null_at(*array.children[1], inner);
  const bool has_range = !is_null_at(*array.children[2], inner);
  if (has_bytes == has_range) {
    return broken(column,
                  "holds a medium with " + std::string(has_bytes ? "both bytes and a range."
                                                                 : "neither bytes nor a range."));
  }
  if (has_bytes) {
    cell.bytes = text_at(shape.children[1], *array.children[1], inner);
    return cell;
  }
  cell.member = text_at(shape.children[2], *array.children[2], inner);
  for (size_t i : {size_t{3}, size_t{4}}) {
    if (is_null_at(*array.children[i], inner) || int64_at(*array.children[i], inner) < 0) {
      return broken(column, "holds a range of " + cell.member + " without " +
                                shape.children[i].name + ", or with a negative one.");
    }
  }
  cell.offset = int64_at(*array.children[3], inner);
  cell.length = int64_at(*array.children[4], inner);
  return cell;
}

}  // namespace

bool is_media(const Column& column) {
  return column.extension == MORTISE_MEDIA_IMAGE || column.extension == MORTISE_MEDIA_AUDIO ||
         column.extension == MORTISE_MEDIA_VIDEO;
}

Status check_media_column(const Column& column) {
  if (!is_media(column) || is_medium_struct(is_list(column) ? column.children[0] : column)) {
    return {};
  }
  return broken(column, "is of type " + column.extension +
                            " and not a struct {name, bytes, member, offset, length}, nor a list "
                            "of it.");
}

Result<MediaField> media_at(const Column& column, const ArrowArray& array, int64_t row) {
  MediaField media;
  media.field = column.name;
  media.is_list = is_list(column);
  if (!media.is_list) {
    MORTISE_ASSIGN(MediumCell cell, cell_at(column, column, array, row));
    media.items.push_back(std::move(cell));
    return media;
  }
  const auto [begin, end] = list_range_at(column, array, row);
  for (int64_t i = begin; i < end; ++i) {
    MORTISE_ASSIGN(MediumCell cell, cell_at(column, column.children[0], *array.children[0], i));
    media.items.push_back(std::move(cell));
  }
  return media;
}

}  // namespace mortise::plugin
