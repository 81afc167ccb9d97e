// See row_rules.h.
#include "ingest/row_rules.h"

#include <array>
#include <cstring>

#include "ingest/check_table.h"

namespace mortise::ingest {

using base::Json;
using base::TapeValue;

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string item_pointer(std::string_view list, size_t index) {
  return "/" + std::string(list) + "/" + std::to_string(index);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlanks) == text.npos;
}

void turns_alternate(TapeValue row, std::vector<Finding>& out) {
  std::string_view last;
  size_t i = 0;
  for (const TapeValue message : row.find("messages")) {
    const std::string_view role = message.find("role").text();
    if (role == "system" && i > 0) {
      out.push_back(make_finding("role_order", item_pointer("messages", i),
                                 "A system message stands inside the conversation."));
    }
    if ((role == "user" || role == "assistant") && role == last) {
      out.push_back(make_finding("role_order", item_pointer("messages", i),
                                 "Two turns of \"" + std::string(role) + "\" follow each other."));
    }
    if (role != "system") last = role;
    ++i;
  }
}

void answers_are_filled(TapeValue row, std::vector<Finding>& out) {
  size_t i = 0;
  for (const TapeValue message : row.find("messages")) {
    const TapeValue content = message.find("content");
    if (message.find("role").text() == "assistant" && content.is_string() &&
        is_blank(content.text()) && !message.find("tool_calls").exists()) {
      out.push_back(make_finding("empty_answer", item_pointer("messages", i) + "/content",
                                 "The answer is empty."));
    }
    ++i;
  }
}

struct MediumKind {
  std::string_view tag, list, one;
};
constexpr std::array<MediumKind, 3> kMediumKinds = {{{"<image>", "images", "image_path"},
                                                     {"<audio>", "audios", "audio_path"},
                                                     {"<video>", "videos", "video"}}};

void count_tags(std::string_view text, std::array<size_t, 3>& counts) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end; ++at) {
    at = static_cast<const char*>(std::memchr(at, '<', static_cast<size_t>(end - at)));
    if (at == nullptr) return;
    const std::string_view rest(at, static_cast<size_t>(end - at));
    for (size_t i = 0; i < kMediumKinds.size(); ++i) {
      if (rest.starts_with(kMediumKinds[i].tag)) ++counts[i];
    }
  }
}

void tags_match_media(TapeValue row, std::vector<Finding>& out) {
  std::array<size_t, 3> tags{};
  for (const TapeValue message : row.find("messages")) {
    count_tags(message.find("content").text(), tags);
  }
  count_tags(row.find("question").text(), tags);
  for (size_t i = 0; i < tags.size(); ++i) {
    if (tags[i] == 0) continue;
    const MediumKind& kind = kMediumKinds[i];
    const size_t named = row.find(kind.list).size() + (row.find(kind.one).exists() ? 1 : 0);
    if (tags[i] == named) continue;
    out.push_back(make_finding("media_count", "/" + std::string(kind.list),
                               "The text holds " + std::to_string(tags[i]) + " " +
                                   std::string(kind.tag) + " tags, the row names " +
                                   std::to_string(named) + " " + std::string(kind.list) + "."));
  }
}

void tools_parse(TapeValue row, std::vector<Finding>& out) {
  const TapeValue tools = row.find("tools");
  if (tools.is_string()) {
    const auto parsed = base::parse_json(tools.text());
    if (!parsed.ok() || !parsed->is_array()) {
      out.push_back(
          make_finding("tools_unreadable", "/tools", "The tools are no JSON array of functions."));
    }
  }
  size_t i = 0;
  for (const TapeValue message : row.find("messages")) {
    if (message.find("role").text() == "tool_call" &&
        !base::parse_json(message.find("content").text()).ok()) {
      out.push_back(make_finding("tool_call_unreadable", item_pointer("messages", i) + "/content",
                                 "The call of a tool is no JSON."));
    }
    ++i;
  }
}

void box_fits(TapeValue box, const std::string& field, bool is_norm, std::vector<Finding>& out) {
  for (const TapeValue number : box) {
    const double value = number.as_double();
    if (value >= 0 && (!is_norm || value <= 1)) continue;
    out.push_back(make_finding("box_range", field,
                               "The box has the number " + number.to_json().dump() +
                                   "; it must be " + (is_norm ? "from 0 to 1." : "0 or more.")));
    return;
  }
  if (box.size() != 4) return;
  const Json x1 = box.at(0).to_json(), y1 = box.at(1).to_json(), x2 = box.at(2).to_json(),
             y2 = box.at(3).to_json();
  const bool is_x = x1.as_double() > x2.as_double(), is_y = y1.as_double() > y2.as_double();
  if (!is_x && !is_y) return;
  Finding made = make_finding("box_order", field, "The box has its corners the wrong way round.");
  made.patch = replace_patch(
      field, Json::array({is_x ? x2 : x1, is_y ? y2 : y1, is_x ? x1 : x2, is_y ? y1 : y2}));
  out.push_back(std::move(made));
}

void boxes_are_boxes(TapeValue row, std::vector<Finding>& out) {
  const TapeValue objects = row.find("objects");
  if (!objects.is_object()) return;
  const TapeValue boxes = objects.find("bbox");
  const size_t names = objects.find("ref").size();
  if (names != boxes.size()) {
    out.push_back(make_finding("box_count", "/objects/bbox",
                               "There are " + std::to_string(names) + " names and " +
                                   std::to_string(boxes.size()) + " boxes."));
  }
  const bool is_norm = objects.find("bbox_type").text() == "norm1";
  size_t i = 0;
  for (const TapeValue box : boxes) box_fits(box, item_pointer("objects/bbox", i++), is_norm, out);
}

void texts_have_no_blanks_around(TapeValue row, std::vector<Finding>& out) {
  for (const std::string_view name : {"output", "question"}) {
    const std::string_view text = row.find(name).text();
    if (text.empty()) continue;
    const size_t begin = text.find_first_not_of(kBlanks);
    const size_t end = text.find_last_not_of(kBlanks);
    if (begin == text.npos || (begin == 0 && end + 1 == text.size())) continue;
    Finding made = make_finding("blanks", "/" + std::string(name),
                                "The " + std::string(name) + " begins or ends with blanks.");
    made.patch = replace_patch(made.field, text.substr(begin, end - begin + 1));
    out.push_back(std::move(made));
  }
}

constexpr std::array<RowRule, 6> kRules = {{
    {"turns", "user and assistant take turns; a system message comes first", turns_alternate},
    {"answers", "an answer is not empty", answers_are_filled},
    {"tags", "a row names as many media as its text has tags", tags_match_media},
    {"tools", "tools and their calls are JSON", tools_parse},
    {"boxes", "each name has a box, its corners in order", boxes_are_boxes},
    {"blanks", "texts neither begin nor end with blanks", texts_have_no_blanks_around},
}};

}  // namespace

std::span<const RowRule> row_rules() {
  return kRules;
}

Json replace_patch(const std::string& pointer, Json value) {
  return Json::array(
      {Json::object({{"op", "replace"}, {"path", pointer}, {"value", std::move(value)}})});
}

}  // namespace mortise::ingest
