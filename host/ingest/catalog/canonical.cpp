// See canonical.h.
#include "ingest/catalog/canonical.h"

#include <algorithm>

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

bool is_box(const Json& value) {
  return value.is_array() && value.size() > 0 &&
         std::ranges::none_of(value.items(), [](const Json& item) { return item.is_array(); });
}

// Whether a box has no numbers: an annotation that says "nothing found".
bool is_empty_box(const Json& box) {
  return box.is_null() || std::ranges::all_of(box.items(), is_absent);
}

Result<Json> numbers(const Json& box) {
  Json out = Json::array();
  for (const Json& item : box.items()) {
    MORTISE_ASSIGN(const double number, number_of(item));
    out.push_back(number);
  }
  return out;
}

bool is_address(std::string_view text) {
  return text.find("://") != text.npos || text.starts_with("data:");
}

}  // namespace

// A name, a list of names, a part of a medium, or a medium that stands in the row.
Result<Json> CanonicalRow::media(Json value) {
  if (value.is_array()) {
    Json list = Json::array();
    for (Json& item : value.items()) {
      MORTISE_ASSIGN(Json named, media(std::move(item)));
      if (!named.is_null()) list.push_back(std::move(named));
    }
    return list;
  }
  if (value.contains("start_seconds")) {
    row_["start_seconds"] = value["start_seconds"];
    row_["end_seconds"] = value["end_seconds"];
    return media(value["media"]);
  }
  if (value.is_object()) return media(value["path"]);
  if (is_absent(value)) return Json();
  const std::string name = text_of(value);
  if (name.ends_with('|')) {
    return Error(Code::kInvalidArgument, "\"" + name + "\" is a command, not a file.",
                 "Run it yourself and name the files that it gives.");
  }
  if (is_address(name)) {
    return Error(Code::kFailedPrecondition, "The row names an address: " + name.substr(0, 80) + ".",
                 "Nothing is ever fetched. Bring the files, and rows that name them.");
  }
  MORTISE_ASSIGN(std::string found, scene_.lookup->find(name));
  return Json(std::move(found));
}

// One box, a list of boxes; empty ones are left out.
Status CanonicalRow::add_boxes(const Json& value) {
  Json boxes = Json::array();
  const Json::Array single = {value};
  for (const Json& box : is_box(value) || value.is_null() ? single : value.items()) {
    if (is_empty_box(box)) continue;
    MORTISE_ASSIGN(Json made, numbers(box));
    boxes.push_back(std::move(made));
  }
  objects_["bbox"] = std::move(boxes);
  return {};
}

Status CanonicalRow::add(const std::string& target, Json value) {
  if (is_media_target(target)) {
    MORTISE_ASSIGN(Json named, media(std::move(value)));
    if (named.is_null() || (named.is_array() && named.size() == 0)) return {};
    std::string field = target == "image" ? "image_path" : target;
    if (field == "video" && mapping_.task_type != "video_qa") field = "videos";
    const bool is_list = field == "images" || field == "audios" || field == "videos";
    if (is_list && !named.is_array()) named = Json::array({std::move(named)});
    row_[field] = std::move(named);
    return {};
  }
  if (target == "objects.bbox") return add_boxes(value);
  if (target == "objects.ref") {
    objects_["ref"] = value.is_array() ? std::move(value) : Json::array({std::move(value)});
    return {};
  }
  if (target.starts_with("objects.")) {
    objects_[target.substr(8)] = std::move(value);
    return {};
  }
  if (value.is_null()) return {};
  const bool is_text = target == "output" || target == "question" || target == "text" ||
                       target == "query" || target == "rejected_response" || target == "findings" ||
                       target == "impression";
  if (is_text && value.is_array() && value.size() > 0 &&
      std::ranges::all_of(value.items(), [](const Json& item) { return item.is_string(); })) {
    spread_ = target;
  } else if (is_text && !value.is_string()) {
    value = Json(text_of(value));
  }
  row_[target] = std::move(value);
  return {};
}

void CanonicalRow::finish(std::vector<Json>& out) {
  if (objects_.is_object()) {
    // One name for all boxes, or one box that several texts mean, is said once.
    Json& refs = objects_["ref"];
    Json& boxes = objects_["bbox"];
    while (refs.size() == 1 && boxes.size() > refs.size()) {
      const Json only = refs.at(0);
      while (refs.size() < boxes.size()) refs.push_back(only);
    }
    if (boxes.size() == 1 && refs.size() > 1) {
      const Json only = boxes.at(0);
      while (boxes.size() < refs.size()) boxes.push_back(only);
    }
    if (boxes.size() == 0) refs = Json::array();
    row_["objects"] = std::move(objects_);
  }
  if (!mapping_.question.empty() && !row_.contains("question")) {
    row_["question"] = mapping_.question;
  }
  if (spread_.empty()) {
    out.push_back(std::move(row_));
    return;
  }
  const Json texts = row_[spread_];
  for (const Json& text : texts.items()) {
    row_[spread_] = text;
    out.push_back(row_);
  }
}

std::string_view split_of(std::string_view rows_file) {
  for (const std::string_view name : {"train", "validation", "valid", "val", "test", "dev"}) {
    if (rows_file.find(name) != rows_file.npos) return name;
  }
  return {};
}

}  // namespace mortise::ingest::catalog
