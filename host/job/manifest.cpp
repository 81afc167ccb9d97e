// See manifest.h.
#include "job/manifest.h"

#include <charconv>

#include "base/schema.h"
#include "schemas/schemas.h"

namespace mortise::job {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

const Result<base::Schema>& job_schema() {
  static const Result<base::Schema> schema = [] {
    auto document = base::parse_json(schemas::text("job.json"));
    if (!document.ok()) return Result<base::Schema>(std::move(document).error());
    return base::Schema::load(*document);
  }();
  return schema;
}

// The sections a kind reads, so that their defaults are written out too.
void add_sections(Json& value) {
  const std::string kind = value["kind"].as_string();
  const auto add = [&value](const char* name) {
    if (!value.contains(name)) value[name] = Json::object();
  };
  add("resources");
  if (kind == "train") {
    for (const char* name : {"method", "train", "holdout", "plugins"}) add(name);
    const Json* metrics = value["plugins"].find("metrics");
    if (metrics != nullptr && metrics->size() > 0) {
      for (const char* name : {"generation", "evaluate"}) add(name);
    }
  } else if (kind == "evaluate") {
    for (const char* name : {"holdout", "generation", "evaluate"}) add(name);
  } else if (kind == "serve") {
    add("generation");
  } else if (kind == "pipeline") {
    for (Json& step : value["steps"].items()) add_sections(step);
  }
}

Status check_exports(const Json& value) {
  for (const Json& format : value["export"].items()) {
    MORTISE_TRY(check_export(format.as_string(), value["quantize"].as_string()));
  }
  for (const Json& step : value["steps"].items()) MORTISE_TRY(check_exports(step));
  return {};
}

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text, std::string_view what) {
  auto value = base::parse_json(text);
  if (!value.ok()) return std::move(value.error().at_file(std::string(what)));
  return check_manifest(std::move(value).value(), what);
}

Result<Manifest> check_manifest(Json value, std::string_view what) {
  if (!value.is_object()) {
    return Error(Code::kInvalidArgument,
                 "A job manifest is a JSON object, this is " + std::string(value.kind_name()) + ".",
                 "Start with {\"kind\": \"train\", ...}.")
        .at_file(std::string(what));
  }
  if (!job_schema().ok()) return Error(job_schema().error());
  const base::Schema& schema = job_schema().value();
  MORTISE_TRY(schema.require(value, what));
  if (auto built = check_exports(value); !built.ok()) {
    return std::move(built.error().at_file(std::string(what)));
  }
  add_sections(value);
  Manifest manifest;
  manifest.json = schema.with_defaults(value);
  const Json& json = manifest.json;
  manifest.kind = json["kind"].as_string();
  manifest.name = json["name"].as_string();
  manifest.model = json["model"].as_string();
  manifest.adapter = json["adapter"].as_string();
  manifest.dataset = json["dataset"].as_string();
  manifest.task = json["task"].as_string();
  manifest.device = json["resources"]["device"].as_string();
  manifest.priority = json["priority"].as_int(50);
  for (const Json& item : json["export"].items()) manifest.exports.push_back(item.as_string());
  return manifest;
}

Status check_export(std::string_view format, std::string_view quantize) {
  if (format != "peft" && format != "hf") {
    return Error(Code::kUnimplemented,
                 "This build does not write the format " + base::json_quote(format) + ".",
                 "Take peft or hf.")
        .at_field("/export");
  }
  if (!quantize.empty() && quantize != "none") {
    return Error(Code::kUnimplemented,
                 "This build does not quantise exports (" + std::string(quantize) + ").",
                 "Leave it out.")
        .at_field("/quantize");
  }
  return {};
}

Status check_task_type(std::string_view name) {
  MORTISE_ASSIGN(const Json document, base::parse_json(schemas::text("job.json")));
  std::string known;
  for (const Json& type : document["$defs"]["task_type"]["enum"].items()) {
    if (type.as_string() == name) return {};
    known += (known.empty() ? "" : ", ") + type.as_string();
  }
  return Error(Code::kInvalidArgument, "The task type " + base::json_quote(name) + " is unknown.",
               "The task types are: " + known + ".");
}

bool is_valid_name(std::string_view name) {
  if (name.empty() || name.size() > 128) return false;
  for (const char c : name) {
    if (!is_name_character(c)) return false;
  }
  return name[0] != '.' && name[0] != '_' && name[0] != '-';
}

bool is_valid_tag(std::string_view tag) {
  return is_valid_name(tag) && tag.size() <= 64 && (tag[0] < '0' || tag[0] > '9');
}

Result<Reference> parse_reference(std::string_view text) {
  const size_t at = text.rfind('@');
  Reference reference;
  reference.name = std::string(text.substr(0, at));
  bool good = is_valid_name(reference.name);
  if (at != std::string_view::npos) {
    const std::string_view digits = text.substr(at + 1);
    if (is_valid_tag(digits)) {
      reference.tag = std::string(digits);
      if (good) return reference;
    }
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), reference.version);
    good = good && error == std::errc() && end == digits.data() + digits.size() &&
           reference.version > 0;
  }
  if (good) return reference;
  return Error(Code::kInvalidArgument, base::json_quote(text) + " is not a reference.",
               "Write NAME, NAME@VERSION or NAME@TAG, as in chest@2; a name has letters, digits, "
               "'.', '_' and '-'.");
}

}  // namespace mortise::job
