// See tape_shape.h. Whatever is not plain answers "not here": the slow way knows.
#include "ingest/tape_shape.h"

#include <algorithm>
#include <array>

#include "ingest/row_shape.h"

namespace mortise::ingest {

using base::Json;
using base::TapeValue;

namespace {

constexpr std::array<std::string_view, 8> kMediaNames = {
    "image_path", "images", "audio_path", "audios", "video", "videos", "tensors", "objects"};

// Members of a turn that stay as they are.
constexpr std::array<std::string_view, 6> kTurnNames = {"loss",       "loss_scale",   "weight",
                                                        "tool_calls", "tool_call_id", "name"};

template <size_t N>
bool is_among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The canonical spelling of a role; empty for one that is not in the table as it stands.
std::string_view role_of(std::string_view role) {
  for (const std::string_view known :
       {"user", "assistant", "system", "tool", "tool_call", "tool_response"}) {
    if (role == known) return known;
  }
  const Json* found = field_table()["roles"].find(role);
  return found == nullptr ? std::string_view() : std::string_view(found->as_string());
}

}  // namespace

TapeShape::TapeShape(const FieldMap& map) : map_(map) {
  is_plain_ = map.made.empty() &&
              std::none_of(map.columns.begin(), map.columns.end(), [](const auto& column) {
                return column.second.find('.') != std::string::npos;
              });
  is_preference_ = map.task_type == "preference" || map.task_type == "kto";
  folds_ = map.task_type == "sft" || is_preference_;
}

std::string_view TapeShape::target_of(std::string_view column) const {
  for (const auto& [target, source] : map_.columns) {
    if (source == column) return target;
  }
  return column;
}

std::optional<TapeValue> TapeShape::shape(TapeValue row) {
  if (!is_plain_ || !row.is_object()) return std::nullopt;
  tape_.clear();
  query_ = input_ = output_ = system_ = {};
  has_messages_ = false;
  const size_t root = tape_.open(Json::Kind::kObject, {});
  for (const TapeValue member : row) {
    if (!add_member(member)) return std::nullopt;
  }
  if (folds_ && !fold()) return std::nullopt;
  tape_.close(root);
  std::array<std::string_view, 16> names;
  size_t count = 0;
  for (const TapeValue member : tape_.root()) {  // two columns for one target
    if (count == names.size()) return std::nullopt;
    if (std::find(names.begin(), names.begin() + count, member.name()) != names.begin() + count) {
      return std::nullopt;
    }
    names[count++] = member.name();
  }
  return tape_.root();
}

bool TapeShape::add_member(TapeValue member) {
  const std::string_view name = target_of(member.name());
  if (is_among(kMediaNames, name)) return false;
  if (name == "messages") {
    has_messages_ = true;
    return add_messages(member);
  }
  if (folds_) {
    TapeValue* const held = name == "query"    ? &query_
                            : name == "input"  ? &input_
                            : name == "output" ? &output_
                            : name == "system" ? &system_
                                               : nullptr;
    if (held != nullptr) {
      if (held->exists()) return false;
      *held = member;
      return true;
    }
    if (name == "history") return false;
  }
  tape_.add(name, member);
  return true;
}

bool TapeShape::add_messages(TapeValue messages) {
  if (!messages.is_array()) return false;
  const size_t list = tape_.open(Json::Kind::kArray, "messages");
  for (const TapeValue turn : messages) {
    if (!add_turn(turn)) return false;
  }
  tape_.close(list);
  return true;
}

bool TapeShape::add_turn(TapeValue turn) {
  if (!turn.is_object()) return false;
  std::string_view role, content;
  bool has_content = false;
  const size_t opened = tape_.open(Json::Kind::kObject, {});
  for (const TapeValue member : turn) {
    const std::string_view name = member.name();
    if (name == "role" || name == "from") {
      if (!role.empty()) return false;
      role = role_of(member.text());
      tape_.add_text("role", role);
    } else if (name == "content" || name == "value") {
      if (has_content || !member.is_string()) return false;
      has_content = true;
      content = member.text();
      tape_.add_text("content", content);
    } else if (is_among(kTurnNames, name) && !member.is(Json::Kind::kNull)) {
      tape_.add(name, member);
    } else {
      return false;
    }
  }
  tape_.close(opened);
  return has_content && !role.empty() && content.find("<img>") == content.npos;
}

// As fold_into_messages of row_shape, for texts.
bool TapeShape::fold() {
  if (has_messages_ || !query_.exists()) {
    if (is_preference_ && (output_.exists() || query_.exists())) return false;
    for (const auto& [name, value] : {std::pair{"query", query_}, std::pair{"input", input_},
                                      std::pair{"output", output_}, std::pair{"system", system_}}) {
      if (value.exists()) tape_.add(name, value);
    }
    return true;
  }
  if (is_preference_) return false;
  const auto is_text = [](TapeValue value) { return !value.exists() || value.is_string(); };
  if (!query_.is_string() || !output_.is_string() || !is_text(input_) || !is_text(system_)) {
    return false;
  }
  std::string_view query = query_.text();
  if (!input_.text().empty()) {
    query = query.empty() ? input_.text()
                          : tape_.keep(std::string(query) + "\n" + std::string(input_.text()));
  }
  const size_t list = tape_.open(Json::Kind::kArray, "messages");
  const auto add = [&](std::string_view role, std::string_view content) {
    const size_t turn = tape_.open(Json::Kind::kObject, {});
    tape_.add_text("role", role);
    tape_.add_text("content", content);
    tape_.close(turn);
  };
  if (!system_.text().empty()) add("system", system_.text());
  add("user", query);
  add("assistant", output_.text());
  tape_.close(list);
  return query.find("<img>") == query.npos && output_.text().find("<img>") == query.npos &&
         system_.text().find("<img>") == query.npos;
}

}  // namespace mortise::ingest
