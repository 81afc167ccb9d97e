// See entry.h.
#include "ingest/catalog/entry.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "ingest/catalog/words.h"

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr size_t kShownMax = 6;
// Words whose value is a file that the user has, or bytes that stand in the row.
constexpr std::string_view kLocalWords[] = {"file",  "find",   "base64",  "member",
                                            "pages", "frames", "sibling", "seg"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool holds(const Json& list, std::string_view wanted) {
  return wanted.empty() || std::ranges::any_of(list.items(), [&](const Json& item) {
           return item.as_string() == wanted;
         });
}

bool names_local_file(const Expression& root) {
  return root.kind == Expression::Kind::kCall &&
         std::ranges::find(kLocalWords, root.text) != std::end(kLocalWords);
}

// A set whose media are addresses is imported when its mapping names the files that the user has.
bool asks_for_addresses(const Entry& entry, const Mapping& mapping) {
  if (entry.fields["media"]["where"].as_string() != "url-list") return false;
  return std::ranges::any_of(mapping.sources, [](const Source& source) {
    return is_media_target(source.target) && !names_local_file(source.root);
  });
}

Error not_ready(const Entry& entry, const std::string& message, const std::string& remedy) {
  const std::string& note = entry.fields["notes"].as_string();
  return Error(Code::kFailedPrecondition, message,
               (note.empty() ? "" : "About the set: " + note + ". ") + remedy);
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

std::string Entry::rows_plugin_id() const {
  const Json& format = fields["rows"]["format"];
  return format.is_string() ? "mortise." + format.as_string() : plugin_id();
}

Result<Mapping> Entry::mapping(const std::string& task) const {
  std::vector<std::string> names;
  std::optional<Error> first;
  for (const auto& [name, sources] : fields["mapping"].members()) {
    names.push_back(name);
    if (!task.empty() && name != task) continue;
    auto mapping = parse_mapping(id(), name, sources);
    if (!mapping.ok()) {
      Error refused = not_ready(*this, mapping.error().message,
                                "Prepare the rows yourself and use `mortise dataset upload`.");
      refused.at_field(mapping.error().field);
      if (!first) first = std::move(refused);
    } else if (asks_for_addresses(*this, *mapping)) {
      if (!first) {
        first = not_ready(*this,
                          "The media of " + id() + " are addresses, and nothing is ever fetched.",
                          "Bring a copy with the media in it (WebDataset shards, or a folder) and "
                          "use `mortise dataset upload`.");
      }
    } else {
      return mapping;
    }
  }
  if (first) return *first;
  return Error(Code::kNotFound, id() + " has no task \"" + task + "\".",
               "It has: " + joined(names) + ".");
}

Json Entry::status() const {
  const auto usable = mapping("");
  if (usable.ok()) return Json::object({{"status", "importable"}});
  return Json::object({{"status", "needs preparation"}, {"reason", usable.error().text()}});
}

Result<Catalog> Catalog::parse(std::string_view text) {
  Catalog catalog;
  int64_t row = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    auto value = base::parse_json(text.substr(begin, end - begin));
    ++row;
    if (!value.ok()) {
      Error& error = value.error();
      return error.at_row(row).at_byte(static_cast<int64_t>(begin) + error.byte_offset);
    }
    if ((*value)["id"].as_string().empty() || !(*value)["mapping"].is_object()) {
      return Error(Code::kInvalidArgument, "The entry has no id or no mapping.")
          .at_row(row)
          .at_byte(static_cast<int64_t>(begin));
    }
    catalog.entries_.push_back({std::move(*value)});
    begin = end + 1;
  }
  std::ranges::sort(catalog.entries_, {}, [](const Entry& entry) { return entry.id(); });
  return catalog;
}

Result<const Entry*> Catalog::find(const std::string& id) const {
  std::vector<std::string> like;
  for (const Entry& entry : entries_) {
    if (entry.id() == id) return &entry;
    if (entry.id().find(lower(id)) != std::string::npos && like.size() < kShownMax) {
      like.push_back(entry.id());
    }
  }
  return Error(Code::kNotFound, "The catalogue has no set \"" + id + "\".",
               like.empty() ? "`mortise dataset catalog --query WORDS` looks for one."
                            : "It has: " + joined(like) + ".");
}

std::vector<const Entry*> Catalog::search(const Query& query) const {
  std::vector<std::string> words;
  for (const std::string_view word : cells_of(query.words, "")) words.push_back(lower(word));
  std::vector<const Entry*> found;
  for (const Entry& entry : entries_) {
    const Json& fields = entry.fields;
    const bool fits =
        holds(fields["task_types"], query.task) && holds(fields["modalities"], query.modality) &&
        holds(fields["language"], query.language) &&
        (query.layout.empty() || fields["native_layout"].as_string() == query.layout) &&
        lower(fields["license"].as_string()).find(lower(query.license)) != std::string::npos;
    const std::string text = lower(entry.id() + " " + fields["title"].as_string() + " " +
                                   fields["notes"].as_string() + " " + fields["tags"].dump());
    const bool has_words = std::ranges::all_of(
        words, [&](const std::string& word) { return text.find(word) != std::string::npos; });
    if (fits && has_words) found.push_back(&entry);
  }
  return found;
}

}  // namespace mortise::ingest::catalog
