// See json_patch.h. A place is its parent and the last part of the pointer.
#include "base/json_patch.h"

#include <charconv>
#include <optional>

namespace mortise::base {
namespace {

std::string unescaped(std::string_view part) {
  std::string text;
  for (size_t i = 0; i < part.size(); ++i) {
    const bool is_escape = part[i] == '~' && i + 1 < part.size();
    text += !is_escape ? part[i] : part[++i] == '1' ? '/' : '~';
  }
  return text;
}

// The index that `part` spells, at most `size`; "-" is `size`.
std::optional<size_t> index_of(std::string_view part, size_t size) {
  if (part == "-") return size;
  size_t index = 0;
  const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
  const bool is_whole = read.ec == std::errc() && read.ptr == part.data() + part.size();
  if (!is_whole || index > size || (part.size() > 1 && part[0] == '0')) return std::nullopt;
  return index;
}

Error absent(std::string_view path) {
  return Error(Code::kNotFound, "The patch names " + std::string(path) + ", which is not there.");
}

// The value that holds the place, and the last part of the pointer.
struct Place {
  Json* parent = nullptr;
  std::string last;
};

Result<Place> place_of(Json& root, std::string_view path) {
  Place place{&root, {}};
  for (size_t at = 1;;) {
    const size_t slash = std::min(path.find('/', at), path.size());
    place.last = unescaped(path.substr(at, slash - at));
    if (slash == path.size()) return place;
    Json* inner = nullptr;
    if (place.parent->is_object()) {
      inner = place.parent->find(place.last);
    } else if (const auto index = index_of(place.last, place.parent->items().size());
               place.parent->is_array() && index && *index < place.parent->size()) {
      inner = &place.parent->items()[*index];
    }
    if (inner == nullptr) return absent(path);
    place.parent = inner;
    at = slash + 1;
  }
}

Status add(Json& root, std::string_view path, Json value) {
  if (path.empty()) {
    root = std::move(value);
    return {};
  }
  MORTISE_ASSIGN(const Place place, place_of(root, path));
  if (place.parent->is_object()) {
    (*place.parent)[place.last] = std::move(value);
    return {};
  }
  const auto index = index_of(place.last, place.parent->size());
  if (!place.parent->is_array() || !index) return absent(path);
  auto& items = place.parent->items();
  items.insert(items.begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
  return {};
}

Status remove(Json& root, std::string_view path) {
  if (path.empty()) {
    root = Json();
    return {};
  }
  MORTISE_ASSIGN(const Place place, place_of(root, path));
  if (place.parent->is_object()) {
    return place.parent->erase(place.last) ? Status() : absent(path);
  }
  const auto index = index_of(place.last, place.parent->size());
  if (!place.parent->is_array() || !index || *index == place.parent->size()) return absent(path);
  auto& items = place.parent->items();
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(*index));
  return {};
}

Status apply_step(Json& root, const Json& step) {
  const std::string& op = step["op"].as_string();
  const std::string& path = step["path"].as_string();
  const std::string& from = step["from"].as_string();
  const auto is_pointer = [](const std::string& text) { return text.empty() || text[0] == '/'; };
  if (!step["path"].is_string() || !is_pointer(path) || !is_pointer(from)) {
    return Error(Code::kInvalidArgument, "A step of the patch has no JSON pointer.");
  }
  if (op == "remove") return remove(root, path);
  const Json* source = op == "move" || op == "copy" ? root.pointer(from) : step.find("value");
  if (source == nullptr) return absent(from.empty() ? path + " (value)" : from);
  Json value = *source;
  if (op == "add" || op == "copy") return add(root, path, std::move(value));
  const Json* there = root.pointer(path);
  if (op == "test") {
    if (there != nullptr && *there == value) return {};
    return Error(Code::kFailedPrecondition, "The value at " + path + " is another one.");
  }
  if (op == "replace") {
    if (there == nullptr) return absent(path);
    *const_cast<Json*>(there) = std::move(value);
    return {};
  }
  if (op != "move") {
    return Error(Code::kInvalidArgument, "The patch has a step \"" + op + "\".",
                 "Steps are add, remove, replace, move, copy and test.");
  }
  if (path.starts_with(from + "/")) {
    return Error(Code::kInvalidArgument, "The patch moves " + from + " into itself.");
  }
  MORTISE_TRY(remove(root, from));
  return add(root, path, std::move(value));
}

}  // namespace

Status apply_patch(Json& value, const Json& patch) {
  Json after = value;
  for (size_t i = 0; i < patch.items().size(); ++i) {
    const Status done = apply_step(after, patch.at(i));
    if (!done.ok()) return Error(done.error()).at_field("/" + std::to_string(i));
  }
  value = std::move(after);
  return {};
}

}  // namespace mortise::base
