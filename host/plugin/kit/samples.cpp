// See samples.h.
#include "plugin/kit/samples.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

const std::vector<std::string>& sample_texts() {
  static const std::vector<std::string> texts = {
      "",
      "a",
      "The quick brown fox jumps over the lazy dog.",
      "  two  spaces and\ttabs\nand lines\r\n",
      "胸部X光片显示右下肺有小结节。",
      "Größe, naïve, façade — “quotes”…",
      "1234567890 3.14159 -1e9",
      "🙂👩‍👩‍👧‍👦 emoji, and a flag 🇩🇪",
      "مرحبا بالعالم",
      "it's we'll I'd they're",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "The quick brown fox sees the lazy dog again and again and again.",
      "{\"json\": [1, 2, {\"deep\": null}]}",
      "e\xCC\x81 combining, \xC3\xA9 whole",
  };
  return texts;
}

namespace {

std::string sample_text(Dice& dice) {
  static const char* const words[] = {"the",  "cat",  "sat", "on", "a",    "mat",  "dog",
                                      "红色", "nine", "7",   "no", "film", "shows"};
  std::string text;
  const uint64_t count = 1 + dice.below(7);
  for (uint64_t i = 0; i < count; ++i) {
    text += (i == 0 ? "" : " ") + std::string(words[dice.below(std::size(words))]);
  }
  return text;
}

Result<Json> sample_value(const Column& column, Dice& dice, bool with_nulls) {
  if (with_nulls && column.is_nullable && dice.below(3) == 0) return Json();
  const std::string& format = column.format;
  if (format == "u" || format == "U") return Json(sample_text(dice));
  if (format == "z" || format == "Z") return Json("bW9ydGlzZQ==");
  if (format == "b") return Json(dice.below(2) == 1);
  if (format == "f" || format == "g") return Json(static_cast<double>(dice.below(64)) / 8);
  if (format.size() == 1 && std::string_view("cCsSiIlL").find(format) != std::string_view::npos) {
    return Json(static_cast<int64_t>(dice.below(2)));
  }
  if (format == "+s") {
    Json object = Json::object();
    for (const Column& child : column.children) {
      MORTISE_ASSIGN(object[child.name], sample_value(child, dice, with_nulls));
    }
    return object;
  }
  if ((format == "+l" || format == "+L") && column.children.size() == 1) {
    Json list = Json::array();
    const uint64_t count = 1 + dice.below(3);
    for (uint64_t i = 0; i < count; ++i) {
      MORTISE_ASSIGN(Json item, sample_value(column.children[0], dice, false));
      list.push_back(std::move(item));
    }
    return list;
  }
  return Error(Code::kUnimplemented, "The kit makes no values of the format \"" + format + "\".")
      .at_field(column.name);
}

}  // namespace

Result<std::vector<Json>> sample_rows(const Column& columns, size_t count, Dice dice,
                                      bool with_nulls) {
  std::vector<Json> rows;
  for (size_t i = 0; i < count; ++i) {
    Json row = Json::object();
    Json first_text;
    for (const Column& column : columns.children) {
      MORTISE_ASSIGN(Json value, sample_value(column, dice, with_nulls));
      // Every second row agrees in its texts, so that no score is all zero.
      const bool agrees = i % 2 == 0 && first_text.is_string();
      if (column.format == "u" && agrees) value = first_text;
      if (column.format == "+l" && agrees && !value.is_null() && column.children[0].format == "u") {
        value.push_back(first_text);
      }
      if (column.format == "u" && first_text.is_null()) first_text = value;
      row[column.name] = std::move(value);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace mortise::plugin::kit
