// See json_patch.h. Sections named in comments are those of RFC 6902.
#include "base/json_patch.h"

#include <charconv>

namespace mortise::base {
namespace {

Error refused(const std::string& pointer, std::string message) {
  return Error(Code::kInvalidArgument, std::move(message),
               "Operations are those of RFC 6902; each names its place with a JSON pointer.")
      .at_field(pointer);
}

std::string escaped(std::string_view key) {
  std::string part;
  for (const char c : key) part += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return part;
}

// The parts of a pointer, unescaped. Errors: one that begins without "/".
Result<std::vector<std::string>> parts_of(const std::string& pointer) {
  std::vector<std::string> parts;
  if (!pointer.empty() && pointer[0] != '/') return refused(pointer, "This is no JSON pointer.");
  for (size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      parts.emplace_back();
    } else if (pointer[i] == '~' && i + 1 < pointer.size() &&
               (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
      parts.back() += pointer[++i] == '0' ? '~' : '/';
    } else {
      parts.back() += pointer[i];
    }
  }
  return parts;
}

// An index of an array; with `takes_end` also the place behind the last, "-". SIZE_MAX: no place.
size_t index_of(const std::string& part, size_t size, bool takes_end) {
  if (takes_end && part == "-") return size;
  size_t index = 0;
  const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
  const bool is_plain = part.size() == 1 || (!part.empty() && part[0] != '0');
  const bool is_index = read.ec == std::errc() && read.ptr == part.data() + part.size() && is_plain;
  return is_index && index < size + (takes_end ? 1 : 0) ? index : SIZE_MAX;
}

// The container of the last part. Errors: a part before it does not exist.
Result<Json*> parent_of(Json& root, const std::string& pointer,
                        const std::vector<std::string>& parts) {
  Json* at = &root;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    Json* next = at->find(parts[i]);
    if (at->is_array()) {
      const size_t index = index_of(parts[i], at->size(), false);
      next = index == SIZE_MAX ? nullptr : &at->items()[index];
    }
    if (next == nullptr) return refused(pointer, "There is no \"" + parts[i] + "\" on this way.");
    at = next;
  }
  if (at->is_object() || at->is_array()) return at;
  return refused(pointer, "What should hold this place is " + std::string(at->kind_name()) + ".");
}

Status add(Json& root, const std::string& pointer, const Json& value) {  // 4.1
  MORTISE_ASSIGN(const auto parts, parts_of(pointer));
  if (parts.empty()) {
    root = value;
    return {};
  }
  MORTISE_ASSIGN(Json* const parent, parent_of(root, pointer, parts));
  if (parent->is_object()) {
    (*parent)[parts.back()] = value;
    return {};
  }
  const size_t index = index_of(parts.back(), parent->size(), true);
  if (index == SIZE_MAX) return refused(pointer, "The array has no such place.");
  parent->items().insert(parent->items().begin() + static_cast<ptrdiff_t>(index), value);
  return {};
}

Status remove(Json& root, const std::string& pointer) {  // 4.2
  MORTISE_ASSIGN(const auto parts, parts_of(pointer));
  if (parts.empty()) return refused(pointer, "The whole cannot be removed.");
  MORTISE_ASSIGN(Json* const parent, parent_of(root, pointer, parts));
  if (parent->is_object()) {
    if (parent->erase(parts.back())) return {};
    return refused(pointer, "There is nothing to remove.");
  }
  const size_t index = index_of(parts.back(), parent->size(), false);
  if (index == SIZE_MAX) return refused(pointer, "There is nothing to remove.");
  parent->items().erase(parent->items().begin() + static_cast<ptrdiff_t>(index));
  return {};
}

Status replace(Json& root, const std::string& pointer, const Json& value) {  // 4.3
  if (root.pointer(pointer) == nullptr) return refused(pointer, "There is nothing to replace.");
  if (pointer.empty()) return add(root, pointer, value);
  MORTISE_ASSIGN(const auto parts, parts_of(pointer));
  MORTISE_ASSIGN(Json* const parent, parent_of(root, pointer, parts));
  Json* const place = parent->is_object()
                          ? parent->find(parts.back())
                          : &parent->items()[index_of(parts.back(), parent->size(), false)];
  *place = value;
  return {};
}

Status apply_one(Json& root, const Json& step) {
  const std::string& op = step["op"].as_string();
  const std::string& path = step["path"].as_string();
  if (!step["path"].is_string()) return refused("", "An operation has no text \"path\".");
  if (op == "remove") return remove(root, path);
  if (op == "add" || op == "replace" || op == "test") {
    const Json* const value = step.find("value");
    if (value == nullptr) return refused(path, "The operation \"" + op + "\" needs a \"value\".");
    if (op == "add") return add(root, path, *value);
    if (op == "replace") return replace(root, path, *value);
    const Json* const there = root.pointer(path);
    if (there != nullptr && *there == *value) return {};
    return refused(path, "The test failed: another value stands there.");
  }
  if (op != "move" && op != "copy") return refused(path, "\"" + op + "\" is no operation.");
  const std::string& from = step["from"].as_string();
  const Json* const source = root.pointer(from);
  if (source == nullptr || !step["from"].is_string()) {
    return refused(from, "There is nothing to " + op + ".");
  }
  const Json value = *source;
  if (op == "move") {
    if (path.starts_with(from + "/")) return refused(path, "A value cannot move into itself.");
    MORTISE_TRY(remove(root, from));
  }
  return add(root, path, value);
}

void compare(const Json& from, const Json& to, const std::string& at,
             std::vector<std::string>& out) {
  if (from == to) return;
  if (from.is_object() && to.is_object()) {
    for (const auto& [key, value] : from.members()) {
      const std::string below = at + "/" + escaped(key);
      if (const Json* other = to.find(key)) {
        compare(value, *other, below, out);
      } else {
        out.push_back(below);
      }
    }
    for (const auto& [key, value] : to.members()) {
      if (!from.contains(key)) out.push_back(at + "/" + escaped(key));
    }
  } else if (from.is_array() && to.is_array() && from.size() == to.size()) {
    for (size_t i = 0; i < from.size(); ++i) {
      compare(from.at(i), to.at(i), at + "/" + std::to_string(i), out);
    }
  } else {
    out.push_back(at);
  }
}

}  // namespace

Status apply_json_patch(Json& value, const Json& patch) {
  if (!patch.is_array()) return refused("", "A patch is an array of operations.");
  Json changed = value;
  for (const Json& step : patch.items()) MORTISE_TRY(apply_one(changed, step));
  value = std::move(changed);
  return {};
}

std::vector<std::string> json_differences(const Json& from, const Json& to) {
  std::vector<std::string> found;
  compare(from, to, "", found);
  return found;
}

}  // namespace mortise::base
