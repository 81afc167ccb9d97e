// See rows.h.
#include "rows.h"

#include <mortise/cpp/json_write.hpp>

namespace mortise::format_coco {
namespace {

// A record that lies open, with what its errors need.
struct Record {
  std::string text;
  uint64_t begin = 0;
  sdk::JsonDocument document;

  Record(const sdk::File& file, const sdk::JsonEntry& entry, int64_t row) {
    sdk::JsonSlice slice = sdk::read_record(file, entry);
    begin = slice.begin;
    text = slice.text;
    document = sdk::parse_record(file, std::move(slice), row);
  }
  sdk::Json root() const { return document.root(); }
  sdk::Failure failure(const std::string& message, const std::string& field) const {
    const sdk::Json id = root()["id"];
    const std::string name = id.is_integer() ? " (id " + std::to_string(id.as_integer()) + ")" : "";
    return sdk::invalid_argument(message + name + '.')
        .at("", -1, static_cast<int64_t>(begin), field);
  }
};

// The file name; where there is none (LVIS), folder and file of the address.
std::string image_path(const Record& image, const std::string& folder) {
  const sdk::Json name = image.root()["file_name"];
  if (name.is_text()) return sdk::name_in(folder, name.as_text());
  const sdk::Json url = image.root()["coco_url"];
  if (url.is_text()) {
    const std::string_view text = url.as_text();
    const size_t last = text.rfind('/');
    const size_t before = last == text.npos || last == 0 ? text.npos : text.rfind('/', last - 1);
    return sdk::name_in(folder, before == text.npos ? text : text.substr(before + 1));
  }
  throw image.failure("The image has no \"file_name\"", "file_name");
}

void add_image(sdk::JsonObject& row, const Record& image, const std::string& folder) {
  row.value("image_id", image.root()["id"]);
  row.text("image_path", image_path(image, folder));
  for (const char* field : {"width", "height"}) {
    if (image.root()[field].is_number()) row.value(field, image.root()[field]);
  }
}

// Without the last bits that an addition leaves.
double rounded(double value) {
  return std::round(value * 1e6) / 1e6;
}

// [x, y, w, h] as [x1,y1,x2,y2].
std::string corners(const Record& note) {
  const sdk::Json box = note.root()["bbox"];
  const auto items = box.is_array() ? box.items() : std::vector<sdk::Json>();
  const bool is_box = items.size() == 4 && std::all_of(items.begin(), items.end(),
                                                       [](sdk::Json v) { return v.is_number(); });
  if (!is_box || items[2].as_double() < 0 || items[3].as_double() < 0) {
    throw note.failure("The annotation's bbox is not [x, y, width, height]", "bbox");
  }
  const double x = items[0].as_double(), y = items[1].as_double();
  std::string text = "[";
  for (const double value : {x, y, x + items[2].as_double(), y + items[3].as_double()}) {
    if (text.size() > 1) text += ',';
    sdk::append_json_number(&text, rounded(value));
  }
  return text + ']';
}

void add_comma(std::string& list) {
  if (list.size() > 1) list += ',';
}

}  // namespace

Rows::Rows(const std::string& name, const Index& index, std::string image_folder,
           const sdk::RowPosition* from)
    : file_(sdk::File::open(name)), index_(index), image_folder_(std::move(image_folder)) {
  if (from != nullptr) position_ = *from;
}

std::string Rows::caption_row(size_t place) const {
  const auto number = static_cast<int64_t>(position_.row);
  const sdk::JsonEntry& entry = index_.notes[place];
  const Record note(file_, entry, number);
  if (!note.root()["caption"].is_text()) {
    throw note.failure("The annotation has no \"caption\"", "caption");
  }
  const Record image(file_, index_.images[static_cast<size_t>(entry.key)], number);
  sdk::JsonObject row;
  add_image(row, image, image_folder_);
  row.value("annotation_id", note.root()["id"]);
  row.value("caption", note.root()["caption"]);
  return row.finish();
}

std::string Rows::image_row(size_t place) const {
  const auto number = static_cast<int64_t>(position_.row);
  const Record image(file_, index_.images[place], number);
  sdk::JsonObject row;
  add_image(row, image, image_folder_);
  if (!index_.has_annotations) return row.finish();
  std::string notes = "[", names = "[", boxes = "[";
  for (size_t i = index_.first_note[place]; i < index_.first_note[place + 1]; ++i) {
    const Record note(file_, index_.notes[i], number);
    const sdk::Json category_id = note.root()["category_id"];
    std::string_view category;
    if (category_id.is_integer()) {
      const auto found = index_.categories.find(category_id.as_integer());
      if (found == index_.categories.end()) {
        throw note.failure("The annotation's category " + std::to_string(category_id.as_integer()) +
                               " is not among the categories",
                           "category_id");
      }
      category = found->second;
    }
    add_comma(notes);
    if (category_id.is_integer() && !note.root()["category"].exists()) {
      notes += "{\"category\":";
      sdk::append_json_text(&notes, category);
      notes += ',';
      notes.append(note.text, 1);
    } else {
      notes += note.text;
    }
    if (!note.root()["bbox"].exists()) continue;
    if (!category_id.is_integer()) {
      throw note.failure("The annotation has a box and no \"category_id\"", "category_id");
    }
    add_comma(names);
    sdk::append_json_text(&names, category);
    add_comma(boxes);
    boxes += corners(note);
  }
  row.raw("annotations", notes + ']');
  row.raw("objects", "{\"ref\":" + names + "],\"bbox\":" + boxes + "],\"bbox_type\":\"real\"}");
  return row.finish();
}

bool Rows::next(sdk::JsonRow* out) {
  const bool is_captions = index_.layout == Layout::kCaptions;
  const auto& entries = is_captions ? index_.notes : index_.images;
  if (position_.row > entries.size()) return false;
  const size_t place = position_.row - 1;
  try {
    out->json = is_captions ? caption_row(place) : image_row(place);
  } catch (const sdk::Failure& failure) {
    throw failure.at(file_.name(), static_cast<int64_t>(position_.row), failure.byte,
                     failure.field);
  }
  out->byte_offset = entries[place].begin;
  ++position_.row;
  return true;
}

}  // namespace mortise::format_coco
