// The words of the mapping language. See words.h, and docs/catalog.md for what each is for.
#include "ingest/catalog/words.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/crypto.h"
#include "ingest/catalog/literal.h"

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

Error wrong(const std::string& message) {
  return Error(Code::kInvalidArgument, message);
}

std::string shown(const Json& value) {
  return "\"" + text_of(value).substr(0, 80) + "\"";
}

Result<int64_t> whole(const Json& value) {
  if (value.is_integer()) return value.as_int();
  const std::string text = text_of(value);
  int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size()) {
    return number;
  }
  return wrong(shown(value) + " is no whole number.");
}

Result<Json> fixed(const Scene&, Arguments arguments) {
  return arguments[0];
}

Result<Json> key(const Scene& scene, Arguments) {
  return (*scene.row)["key"];
}

Result<Json> column(const Scene& scene, Arguments arguments) {
  MORTISE_ASSIGN(const int64_t number, whole(arguments[0]));
  const auto cells = scene.columns();
  if (number < 1 || static_cast<size_t>(number) > cells.size()) {
    return wrong("The row has " + std::to_string(cells.size()) + " cells, and no " +
                 std::to_string(number) + ".");
  }
  return Json(cells[static_cast<size_t>(number - 1)]);
}

// rest(line, n): from cell n on, as it stands; n is 2 unless given.
Result<Json> rest(const Scene& scene, Arguments arguments) {
  int64_t number = 2;
  if (arguments.size() > 1) {
    MORTISE_ASSIGN(number, whole(arguments[1]));
  }
  const std::string line = text_of(arguments[0]);
  const auto cells = cells_of(line, scene.cells);
  if (number < 1 || static_cast<size_t>(number) > cells.size()) return Json("");
  const char* begin = cells[static_cast<size_t>(number - 1)].data();
  return Json(std::string(begin, line.data() + line.size()));
}

Result<Json> line(const Scene& scene, Arguments arguments) {
  MORTISE_ASSIGN(std::string text, scene.lookup->line(text_of(arguments[0]), scene.row_number));
  return Json(std::move(text));
}

Result<Json> file(const Scene&, Arguments arguments) {
  return arguments[0];
}

Result<Json> find(const Scene& scene, Arguments arguments) {
  if (is_absent(arguments[0])) return Json();
  MORTISE_ASSIGN(std::string name, scene.lookup->find(text_of(arguments[0])));
  return Json(std::move(name));
}

// A name beside the row's own medium, or as it stands where that is of no folder.
std::string beside(const Scene& scene, const std::string& name) {
  const std::string medium = scene.medium();
  const size_t slash = medium.rfind('/');
  return slash == medium.npos ? name : medium.substr(0, slash + 1) + name;
}

Result<Json> sibling(const Scene& scene, Arguments arguments) {
  return Json(beside(scene, text_of(arguments[0])));
}

Result<Json> text(const Scene& scene, Arguments arguments) {
  const std::string name = text_of(arguments[0]);
  auto found = scene.lookup->text(beside(scene, name));
  if (!found.ok() && found.error().code == Code::kNotFound) found = scene.lookup->text(name);
  if (!found.ok()) return found.error();
  std::string_view all = *found;
  while (all.ends_with('\n') || all.ends_with('\r')) all.remove_suffix(1);
  if (arguments.size() < 2) return Json(all);
  MORTISE_ASSIGN(const int64_t number, whole(arguments[1]));
  const auto lines = cells_of(all, "\n");
  if (number < 1 || static_cast<size_t>(number) > lines.size()) {
    return wrong(name + " has no line " + std::to_string(number) + ".");
  }
  return Json(lines[static_cast<size_t>(number - 1)]);
}

Result<Json> folder_name(const Scene& scene, Arguments arguments) {
  int64_t number = 1;
  if (!arguments.empty()) {
    MORTISE_ASSIGN(number, whole(arguments[0]));
  }
  const std::string medium = scene.medium();
  const auto parts = cells_of(medium, "/");
  const int64_t at = static_cast<int64_t>(parts.size()) - 1 - number;
  if (number < 1 || at < 0) return wrong(medium + " lies in no such folder.");
  return Json(parts[static_cast<size_t>(at)]);
}

// pick(list, 1), pick(list, "B"): by index from 0, or by letter.
Result<Json> pick(const Scene&, Arguments arguments) {
  const Json& list = arguments[0];
  const std::string which = text_of(arguments[1]);
  if (is_absent(arguments[1])) return Json();
  int64_t index = -1;
  if (which.size() == 1 && which[0] >= 'A' && which[0] <= 'Z') {
    index = which[0] - 'A';
  } else {
    MORTISE_ASSIGN(index, whole(arguments[1]));
  }
  if (index >= 0 && static_cast<size_t>(index) < list.size()) {
    return list.at(static_cast<size_t>(index));
  }
  return wrong("There are " + std::to_string(list.size()) + " things to pick from, and no " +
               shown(arguments[1]) + ".");
}

// The most frequent; of equals, the first.
Result<Json> majority(const Scene&, Arguments arguments) {
  std::map<std::string, size_t> counts;
  for (const Json& item : arguments[0].items()) ++counts[text_of(item)];
  const Json* best = nullptr;
  for (const Json& item : arguments[0].items()) {
    if (best == nullptr || counts[text_of(item)] > counts[text_of(*best)]) best = &item;
  }
  return best == nullptr ? Json() : *best;
}

Result<Json> first(const Scene&, Arguments arguments) {
  return arguments[0].is_array() ? arguments[0].at(0) : arguments[0];
}

Result<Json> joined(const Scene&, Arguments arguments) {
  const std::string separator = arguments.size() > 1 ? text_of(arguments[1]) : "\n";
  std::string out;
  bool is_first = true;
  for (const Json& item : arguments[0].items()) {
    if (item.is_null()) continue;
    if (!std::exchange(is_first, false)) out += separator;
    out += text_of(item);
  }
  return is_first ? Json() : Json(std::move(out));
}

Result<Json> split(const Scene&, Arguments arguments) {
  if (arguments[0].is_null()) return Json();
  const std::string text = text_of(arguments[0]), separator = text_of(arguments[1]);
  if (separator.empty()) return wrong("split() needs what stands between the parts.");
  Json parts = Json::array();
  for (const std::string_view part : cells_of(text, separator)) parts.push_back(Json(part));
  return parts;
}

Result<Json> parse(const Scene&, Arguments arguments) {
  if (!arguments[0].is_string()) return arguments[0];
  return parse_literal(arguments[0].as_string());
}

Result<Json> json(const Scene&, Arguments arguments) {
  if (!arguments[0].is_string()) return arguments[0];
  auto value = base::parse_json(arguments[0].as_string());
  if (!value.ok()) return wrong("The text is no JSON: " + value.error().message);
  return std::move(*value);
}

Result<Json> corners(const Scene&, Arguments arguments) {
  const Json& box = arguments[0];
  if (box.is_null() || std::ranges::all_of(box.items(), is_absent)) return Json();
  double side[4] = {};
  if (box.size() != 4) return wrong("A box is x, y, width and height.");
  for (size_t i = 0; i < 4; ++i) {
    MORTISE_ASSIGN(side[i], number_of(box.at(i)));
  }
  if (side[2] < 0 || side[3] < 0) return wrong("The box has a negative width or height.");
  return Json::array({side[0], side[1], side[0] + side[2], side[1] + side[3]});
}

// turns(q, a): q or a may be lists of one length, or q a conversation and a its last answer.
Result<Json> turns(const Scene&, Arguments arguments) {
  const Json &asked = arguments[0], &answered = arguments[1];
  Json messages = Json::array();
  const auto say = [&](const char* role, const Json& content) {
    messages.push_back(Json::object({{"role", role}, {"content", text_of(content)}}));
  };
  if (!asked.is_array()) {
    say("user", asked);
    say("assistant", answered.is_object() ? answered["value"] : answered);
    return messages;
  }
  if (!answered.is_array()) {
    messages = asked;
    messages.push_back(answered);
    return messages;
  }
  if (asked.size() != answered.size()) {
    return wrong(std::to_string(asked.size()) + " questions do not go with " +
                 std::to_string(answered.size()) + " answers.");
  }
  for (size_t i = 0; i < asked.size(); ++i) {
    say("user", asked.at(i));
    say("assistant", answered.at(i));
  }
  return messages;
}

Result<Json> part(const Scene&, Arguments arguments) {
  MORTISE_ASSIGN(const double start, number_of(arguments[1]));
  MORTISE_ASSIGN(const double end, number_of(arguments[2]));
  if (start < 0 || end < start) return wrong("The part ends before it starts.");
  return Json::object({{"media", arguments[0]}, {"start_seconds", start}, {"end_seconds", end}});
}

Result<Json> files_in(const Scene& scene, Arguments arguments) {
  MORTISE_ASSIGN(const auto names, scene.lookup->list(text_of(arguments[0])));
  Json list = Json::array();
  for (const std::string& name : names) list.push_back(name);
  return list;
}

// The pages of a document that was rendered into a folder of its name.
Result<Json> pages(const Scene& scene, Arguments arguments) {
  std::string name = text_of(arguments[0]);
  if (name.ends_with(".pdf")) name.resize(name.size() - 4);
  const Json folder = name;
  auto found = files_in(scene, {&folder, 1});
  if (found.ok()) return found;
  return found.error().code != Code::kNotFound
             ? found.error()
             : Error(Code::kNotFound, "There are no pages of " + name + ".",
                     "Render the document into pictures in a folder " + name + "/.");
}

// A member of a shard's sample by its ending, as the row calls it (kind/format.h).
Result<Json> member(const Scene& scene, Arguments arguments) {
  const std::string ending = text_of(arguments[0]);
  if (const Json* named = scene.row->find(ending)) return *named;
  static constexpr std::pair<std::string_view, const char*> kNames[] = {
      {"txt", "text"},   {"cls", "label"}, {"jpg", "image"},  {"jpeg", "image"}, {"png", "image"},
      {"webp", "image"}, {"wav", "audio"}, {"flac", "audio"}, {"mp3", "audio"},  {"ogg", "audio"},
      {"mp4", "video"},  {"mkv", "video"}, {"webm", "video"}, {"avi", "video"}};
  for (const auto& [member, name] : kNames) {
    if (member == ending) return (*scene.row)[name];
  }
  return Json();
}

// Texts with their pictures' marks between them. places: the number of the text before which each
// picture stands (mmc4), or as long as the texts, where a text is null (OBELICS).
Result<Json> interleave(const Scene&, Arguments arguments) {
  const Json &texts = arguments[0], &places = arguments[1];
  const bool is_numbers = places.size() > 0 && places.at(0).is_integer();
  if (!is_numbers && places.size() != texts.size()) {
    return wrong("There are " + std::to_string(texts.size()) + " texts and " +
                 std::to_string(places.size()) + " pictures; they must be as many.");
  }
  std::vector<std::string> parts;
  for (size_t i = 0; i < texts.size(); ++i) {
    for (const Json& place : places.items()) {
      if (is_numbers && place.as_int(-1) == static_cast<int64_t>(i)) parts.push_back("<image>");
    }
    if (!is_numbers && !is_absent(places.at(i))) parts.push_back("<image>");
    if (!is_absent(texts.at(i))) parts.push_back(text_of(texts.at(i)));
  }
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "\n") + part;
  return Json(out);
}

// The values by rising keys; equal keys keep their order.
Result<Json> ordered(const Scene&, Arguments arguments) {
  const Json &values = arguments[0], &keys = arguments[1];
  if (values.size() != keys.size()) {
    return wrong("There are " + std::to_string(values.size()) + " values and " +
                 std::to_string(keys.size()) + " keys; they must be as many.");
  }
  std::vector<size_t> order;
  for (size_t i = 0; i < values.size(); ++i) order.push_back(i);
  std::ranges::stable_sort(order, {}, [&](size_t i) { return keys.at(i).as_double(); });
  Json out = Json::array();
  for (const size_t i : order) out.push_back(values.at(i));
  return out;
}

Result<Json> base64(const Scene& scene, Arguments arguments) {
  if (is_absent(arguments[0])) return Json();
  std::string text = text_of(arguments[0]);
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r'; });
  const auto bytes = base::from_base64(text);
  if (!bytes.ok()) return wrong("The text is no base64: " + bytes.error().message);
  MORTISE_ASSIGN(std::string name, scene.lookup->keep(std::string(base::as_text(*bytes))));
  return Json(std::move(name));
}

Result<Json> inner(const Scene&, Arguments arguments) {
  const std::string text = text_of(arguments[0]), tag = text_of(arguments[1]);
  const std::string open = "<" + tag + ">", close = "</" + tag + ">";
  const size_t begin = text.find(open);
  const size_t end = begin == text.npos ? text.npos : text.find(close, begin);
  if (end == text.npos) return wrong("The text has no " + open + "..." + close + ".");
  return Json(text.substr(begin + open.size(), end - begin - open.size()));
}

// positives(row), positives(row, "-1"): the columns whose value is 1, or the number given.
Result<Json> positives(const Scene&, Arguments arguments) {
  const double wanted = arguments.size() > 1 ? std::atof(text_of(arguments[1]).c_str()) : 1;
  Json names = Json::array();
  for (const auto& [name, value] : arguments[0].members()) {
    if (is_absent(value) || value.is_array() || value.is_object() || value.is_bool()) continue;
    const auto number = number_of(value);
    if (number.ok() && *number == wanted) names.push_back(name);
  }
  return names;
}

// 1 or 0: whether a cell says something else than the value given.
Result<Json> differs(const Scene&, Arguments arguments) {
  return Json(text_of(arguments[0]) == text_of(arguments[1]) ? 0 : 1);
}

constexpr Word kWords[] = {
    {"base64", 1, 1, false, base64},
    {"col", 1, 1, false, column},
    {"const", 1, 1, false, fixed},
    {"differs", 2, 2, false, differs},
    {"dirname", 0, 1, false, folder_name},
    {"file", 1, 1, false, file},
    {"find", 1, 1, false, find},
    {"first", 1, 1, true, first},
    {"frames", 1, 1, false, files_in},
    {"inner", 2, 2, false, inner},
    {"interleave", 2, 2, true, interleave},
    {"joined", 1, 2, true, joined},
    {"json", 1, 1, false, json},
    {"key", 0, 0, false, key},
    {"line", 1, 1, false, line},
    {"majority", 1, 1, true, majority},
    {"member", 1, 1, false, member},
    {"ordered", 2, 2, true, ordered},
    {"pages", 1, 1, false, pages},
    {"parse", 1, 1, false, parse},
    {"pick", 2, 2, false, pick},
    {"positives", 1, 2, false, positives},
    {"rest", 1, 2, false, rest},
    {"seg", 3, 3, false, part},
    {"sibling", 1, 1, false, sibling},
    {"split", 2, 2, false, split},
    {"text", 1, 2, false, text},
    {"turns", 2, 2, true, turns},
    {"xyxy", 1, 1, false, corners},
};

}  // namespace

const Word* find_word(std::string_view name) {
  for (const Word& word : kWords) {
    if (word.name == name) return &word;
  }
  return nullptr;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_null()) return {};
  if (value.is_array() || value.is_object()) return value.dump();
  return value.canonical();
}

bool is_absent(const Json& value) {
  return value.is_null() || (value.is_string() && value.as_string().empty());
}

Result<double> number_of(const Json& value) {
  if (value.is_number()) return value.as_double();
  const std::string text = value.is_string() ? value.as_string() : "";
  double total = 0;
  const auto parts = cells_of(text, ":");
  for (const std::string_view each : parts) {
    double number = 0;
    const auto read = std::from_chars(each.data(), each.data() + each.size(), number);
    if (each.empty() || read.ec != std::errc() || read.ptr != each.data() + each.size() ||
        parts.size() > 3) {
      return wrong(shown(value) + " is no number.");
    }
    total = total * 60 + number;
  }
  return total;
}

// Between every separator; where there is none to split at, between a tab, else runs of blanks.
std::vector<std::string_view> cells_of(std::string_view line, std::string_view separator) {
  std::vector<std::string_view> cells;
  const bool is_blank = separator.empty() && line.find('\t') == line.npos;
  if (separator.empty()) separator = is_blank ? " " : "\t";
  while (true) {
    if (is_blank) line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (is_blank && line.empty()) return cells;
    const size_t end = line.find(separator);
    cells.push_back(line.substr(0, end));
    if (end == line.npos) return cells;
    line.remove_prefix(end + separator.size());
  }
}

std::string_view stem_of(std::string_view name) {
  const size_t slash = name.rfind('/');
  if (slash != name.npos) name.remove_prefix(slash + 1);
  return name.substr(0, name.rfind('.'));
}

std::string Scene::medium() const {
  for (const char* field :
       {"file_name", "image_path", "audio_path", "video", "image", "audio", "path"}) {
    if (const Json* named = row->find(field); named != nullptr && named->is_string()) {
      return named->as_string();
    }
  }
  return {};
}

std::vector<std::string_view> Scene::columns() const {
  if (row->is_string()) return cells_of(row->as_string(), cells);
  std::vector<std::string_view> columns;
  for (const auto& [name, value] : row->members()) columns.push_back(value.as_string());
  return columns;
}

}  // namespace mortise::ingest::catalog
