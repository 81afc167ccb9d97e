// pack.json into values: text, schema, then what no schema can say. See manifest.h.
#include "pack/manifest.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/crypto.h"
#include "base/schema.h"
#include "schemas/schemas.h"

namespace mortise::pack {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr int64_t kManifestVersion = 1;
constexpr uint64_t kSizeBytesMax = 4u << 20;

const base::Schema& manifest_schema() {
  static const base::Schema schema = [] {
    auto document = base::parse_json(schemas::text("pack.json"));
    return base::Schema::load(document.value()).value();
  }();
  return schema;
}

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.items()) out.push_back(item.as_string());
  return out;
}

PluginEntry read_plugin(const Json& json) {
  PluginEntry entry;
  entry.id = json["id"].as_string();
  entry.kind = json["kind"].as_string();
  entry.interfaces = texts(json["interfaces"]);
  entry.library = json["library"].as_string();
  entry.needs_services = texts(json["needs_services"]);
  entry.optional_services = texts(json["optional_services"]);
  const std::string& thread_class = json["thread_class"].as_string();
  entry.thread_class = thread_class.empty() ? "serial" : thread_class;
  entry.starts_threads = json["starts_threads"].as_bool();
  const std::string& level = json["isolation_min"].as_string();
  entry.isolation_min = level.size() == 2 ? level[1] - '0' : 0;
  entry.uses_draft = json["uses_draft"].as_bool();
  entry.config_schema = json["config_schema"];
  return entry;
}

LibraryEntry read_library(const Json& json) {
  LibraryEntry entry;
  entry.path = json["path"].as_string();
  entry.name = json.contains("name") ? json["name"].as_string() : entry.path;
  entry.platform = json["platform"].as_string();
  entry.sha256 = json["sha256"].as_string();
  entry.cpu_features = texts(json["cpu_features"]);
  entry.score = json["score"].as_int();
  return entry;
}

RuntimeNeeds read_runtime(const Json& json) {
  RuntimeNeeds runtime;
  for (const Json& item : json["devices"].items()) {
    runtime.devices.push_back({item["pci_vendor"].as_string(), item["pci_class"].as_string(),
                               item["driver"].as_string()});
  }
  runtime.driver_min = json["driver_min"].as_string();
  runtime.libtorch_tag = json["libtorch_tag"].as_string();
  if (const Json* code = json.find("dl_device_code")) {
    runtime.dl_device_code = static_cast<int32_t>(code->as_int());
  }
  return runtime;
}

Manifest read_values(Json document) {
  Manifest manifest;
  manifest.id = document["id"].as_string();
  manifest.version = document["version"].as_string();
  manifest.name = document["name"].as_string();
  manifest.vendor = document["vendor"].as_string();
  manifest.license = document["license"].as_string();
  const Json& abi = document["abi"];
  manifest.abi.generation = static_cast<uint32_t>(abi["generation"].as_uint());
  manifest.abi.needs_minor = static_cast<uint32_t>(abi["needs_minor"].as_uint());
  manifest.abi.built_minor = static_cast<uint32_t>(abi["built_minor"].as_uint());
  for (const Json& item : document["plugins"].items())
    manifest.plugins.push_back(read_plugin(item));
  for (const Json& item : document["libraries"].items()) {
    manifest.libraries.push_back(read_library(item));
  }
  for (const auto& [path, hash] : document["files"].members()) {
    manifest.files.push_back({path, hash.as_string()});
  }
  manifest.runtime = read_runtime(document["runtime"]);
  manifest.permissions = {document["permissions"]["network"].as_bool(),
                          document["permissions"]["spawn"].as_bool()};
  manifest.document = std::move(document);
  return manifest;
}

Error refuse(const std::string& field, std::string message, std::string hint = {}) {
  return Error(Code::kInvalidArgument, std::move(message), std::move(hint)).at_field(field);
}

Status check_paths(const Manifest& manifest) {
  std::set<std::string> listed;
  for (size_t i = 0; i < manifest.libraries.size(); ++i) {
    const std::string& path = manifest.libraries[i].path;
    const std::string field = "/libraries/" + std::to_string(i) + "/path";
    if (Status inside = base::check_relative_path(path); !inside.ok()) {
      return refuse(field,
                    "The library path \"" + path + "\" leaves the pack: " + inside.error().message);
    }
    if (!listed.insert(path).second) {
      return refuse(field, "The library \"" + path + "\" is listed twice.",
                    "Give each variant a path of its own.");
    }
  }
  for (const FileEntry& file : manifest.files) {
    const std::string field = "/files/" + file.path;
    if (Status inside = base::check_relative_path(file.path); !inside.ok()) {
      return refuse(field,
                    "The file \"" + file.path + "\" leaves the pack: " + inside.error().message);
    }
    if (file.path == "pack.json" || file.path == "pack.json.sig") {
      return refuse(field, "\"files\" may not list " + file.path + ", which holds the list itself.",
                    "Remove the entry.");
    }
  }
  return {};
}

Status check_files_agree(const Manifest& manifest) {
  for (const LibraryEntry& library : manifest.libraries) {
    for (const FileEntry& file : manifest.files) {
      if (file.path == library.path && file.sha256 != library.sha256) {
        return refuse("/files/" + file.path, "\"files\" and \"libraries\" give two hashes for " +
                                                 file.path + ": " + file.sha256 + " and " +
                                                 library.sha256 + ".");
      }
    }
  }
  return {};
}

Status check_plugins(const Manifest& manifest) {
  std::set<std::string> ids;
  for (size_t i = 0; i < manifest.plugins.size(); ++i) {
    const PluginEntry& plugin = manifest.plugins[i];
    const std::string field = "/plugins/" + std::to_string(i);
    if (!ids.insert(plugin.id).second) {
      return refuse(field + "/id", "The plugin id \"" + plugin.id + "\" is given twice.");
    }
    std::set<std::string> names;
    for (const LibraryEntry& library : manifest.libraries) names.insert(library.name);
    if (plugin.library.empty() && names.size() > 1) {
      return refuse(field + "/library",
                    "The pack has " + std::to_string(names.size()) + " libraries and \"" +
                        plugin.id + "\" does not say which is its own.",
                    "Add \"library\" with a path or name of \"libraries\".");
    }
    if (!plugin.library.empty() && !names.contains(plugin.library)) {
      return refuse(field + "/library", "The plugin \"" + plugin.id + "\" names the library \"" +
                                            plugin.library +
                                            "\", which \"libraries\" do not list.");
    }
  }
  return {};
}

}  // namespace

const PluginEntry* Manifest::find_plugin(std::string_view plugin_id) const {
  for (const PluginEntry& plugin : plugins) {
    if (plugin.id == plugin_id) return &plugin;
  }
  return nullptr;
}

Result<Manifest> parse_manifest(std::string_view text, const std::string& label) {
  const auto located = [&](Error error) {
    error.file = label;
    return error;
  };
  auto parsed = base::parse_json(text, {.size_bytes_max = kSizeBytesMax, .depth_max = 64});
  if (!parsed.ok()) return located(std::move(parsed).error());
  // Looked at before the schema, which knows only this version's keys.
  const Json& version = (*parsed)["manifest_version"];
  if (version.is_integer() && version.as_int() > kManifestVersion) {
    return located(Error(Code::kUnimplemented,
                         "The manifest has manifest_version " + std::to_string(version.as_int()) +
                             ", this program reads up to " + std::to_string(kManifestVersion) + ".",
                         "Install a newer Mortise, or an older version of the pack.")
                       .at_field("/manifest_version"));
  }
  if (Status valid = manifest_schema().require(*parsed, label); !valid.ok()) {
    return located(std::move(valid).error());
  }
  Manifest manifest = read_values(std::move(*parsed));
  manifest.sha256 = base::to_hex(base::sha256(base::as_bytes(text)));
  for (const auto& check : {check_paths, check_files_agree, check_plugins}) {
    if (Status checked = check(manifest); !checked.ok()) return located(std::move(checked).error());
  }
  return manifest;
}

Result<Manifest> read_manifest(base::FileOps& files, const std::string& root) {
  const std::string path = base::join_path(root, "pack.json");
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, kSizeBytesMax));
  MORTISE_ASSIGN(Manifest manifest, parse_manifest(text, path));
  manifest.root = root;
  return manifest;
}

namespace {

// The next dot-separated part, cut off the front of `text`.
std::string_view next_part(std::string_view& text) {
  const size_t dot = text.find('.');
  const std::string_view part = text.substr(0, dot);
  text = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  return part;
}

// Numbers compare as numbers and come before words, words by bytes.
int compare_parts(std::string_view a, std::string_view b) {
  uint64_t x = 0, y = 0;
  const auto whole = [](std::string_view part, uint64_t& out) {
    const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), out);
    return code == std::errc() && end == part.data() + part.size();
  };
  const bool a_is_number = whole(a, x), b_is_number = whole(b, y);
  if (a_is_number && b_is_number) return x < y ? -1 : x > y ? 1 : 0;
  if (a_is_number != b_is_number) return a_is_number ? -1 : 1;
  return a.compare(b);
}

int compare_dotted(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (const int order = compare_parts(next_part(a), next_part(b)); order != 0) return order;
  }
  return a.empty() && b.empty() ? 0 : a.empty() ? -1 : 1;
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
  a = a.substr(0, a.find('+'));
  b = b.substr(0, b.find('+'));
  const size_t a_dash = a.find('-'), b_dash = b.find('-');
  if (const int order = compare_dotted(a.substr(0, a_dash), b.substr(0, b_dash)); order != 0) {
    return order;
  }
  const bool a_is_pre = a_dash != std::string_view::npos,
             b_is_pre = b_dash != std::string_view::npos;
  if (!a_is_pre || !b_is_pre) return a_is_pre ? -1 : b_is_pre ? 1 : 0;
  return compare_dotted(a.substr(a_dash + 1), b.substr(b_dash + 1));
}

}  // namespace mortise::pack
