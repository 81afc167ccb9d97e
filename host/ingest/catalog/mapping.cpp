// The tasks of the catalogue and what their rows must have. See mapping.h.
#include "ingest/catalog/mapping.h"

#include <algorithm>

#include "schemas/schemas.h"

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kListTargets[] = {"images",  "audios",   "videos",
                                             "options", "messages", "objects"};
constexpr std::string_view kMediaTargets[] = {"image",  "image_path", "images", "audio_path",
                                              "audios", "video",      "videos"};

bool has(const Json& sources, std::string_view target) {
  return sources.contains(target);
}

// Catalogue words that are not task types, and tasks whose rows are of another type.
void choose_type(Mapping& mapping, const Json& sources) {
  const std::string& task = mapping.task;
  const bool is_pair = task == "retrieval" || task == "caption";
  mapping.task_type = task;
  if (task == "audio_caption" ||
      (is_pair && has(sources, "audio_path") && !has(sources, "image_path"))) {
    mapping.task_type = "audio_qa";
    mapping.question = "What is to be heard?";
  } else if (task == "video_caption" || (is_pair && has(sources, "video"))) {
    mapping.task_type = "video_qa";
    mapping.question = "What happens in the video?";
  } else if (is_pair && has(sources, "images")) {
    mapping.task_type = "vqa";
    mapping.question = "What do the images show?";
  } else if (is_pair) {
    mapping.task_type = "caption";
  } else if (task == "chat" && !has(sources, "messages")) {
    mapping.task_type = "sft";
  }
}

// What a source gives under its target's name, as far as required fields go.
bool gives(const Mapping& mapping, const Json& sources, const std::string& field) {
  if (has(sources, field)) return true;
  if (field == "question") return !mapping.question.empty();
  if (field == "messages") return has(sources, "output");
  if (field == "objects") return has(sources, "objects.ref") && has(sources, "objects.bbox");
  if (field == "image_path") return has(sources, "image") || has(sources, "images");
  return false;
}

}  // namespace

bool is_list_target(std::string_view target) {
  return target.starts_with("objects.") ||
         std::ranges::find(kListTargets, target) != std::end(kListTargets);
}

bool is_media_target(std::string_view target) {
  return std::ranges::find(kMediaTargets, target) != std::end(kMediaTargets);
}

Error locate(Error error, const Mapping& mapping, const Source& source) {
  const int64_t byte = std::exchange(error.byte_offset, -1);
  error.message = mapping.set + ", task " + mapping.task + ", target " + source.target +
                  (byte < 0 ? "" : ", byte " + std::to_string(byte)) + " of `" + source.text +
                  "`: " + error.message;
  error.field = source.target;
  return error;
}

Result<Mapping> parse_mapping(const std::string& set, const std::string& task,
                              const Json& sources) {
  Mapping mapping;
  mapping.set = set;
  mapping.task = task;
  choose_type(mapping, sources);
  const std::string_view schema = schemas::text("rows/" + mapping.task_type + ".json");
  if (schema.empty()) {
    return Error(Code::kInvalidArgument, set + ", task " + task + " is of no known type.");
  }
  for (const auto& [target, source] : sources.members()) {
    mapping.sources.push_back({target, source.as_string(), {}});
    auto parsed = parse_source(mapping.sources.back().text);
    if (!parsed.ok()) return locate(parsed.error(), mapping, mapping.sources.back());
    mapping.sources.back().root = std::move(*parsed);
  }
  MORTISE_ASSIGN(const Json document, base::parse_json(schema));
  for (const Json& field : document["required"].items()) {
    if (gives(mapping, sources, field.as_string())) continue;
    return Error(Code::kInvalidArgument, set + ", task " + task + " has no source for \"" +
                                             field.as_string() + "\", which " + mapping.task_type +
                                             " rows need.")
        .at_field(field.as_string());
  }
  return mapping;
}

}  // namespace mortise::ingest::catalog
