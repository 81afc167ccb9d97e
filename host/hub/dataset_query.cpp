// See dataset_query.h.
#include "hub/dataset_query.h"

#include <chrono>
#include <cmath>
#include <set>

#include "base/utf8.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr size_t kWordsMax = 32;
constexpr size_t kFiltersMax = 16;
constexpr size_t kWordBytesMax = 64;

enum class Letter { kNone, kWord, kHan };

// Scripts that put no blanks between words.
bool is_han(char32_t c) {
  return (c >= 0x2E80 && c <= 0x2FDF) || (c >= 0x3005 && c <= 0x3007) ||
         (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7AF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x323AF);
}

// Full-width forms as the plain ones; Latin, Greek and Cyrillic capitals as small letters.
char32_t folded(char32_t c) {
  if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c >= 0x100 && c <= 0x137) return c | 1;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

Letter letter_of(char32_t c) {
  if (is_han(c)) return Letter::kHan;
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) return Letter::kWord;
  const bool is_mark = c < 0xC0 || c == 0xD7 || c == 0xF7 || (c >= 0x2000 && c <= 0x2BFF) ||
                       (c >= 0x3000 && c <= 0x303F) || (c >= 0xFE30 && c <= 0xFE4F) ||
                       (c >= 0xFF00 && c <= 0xFFEF) || c == 0xFFFD;
  return is_mark ? Letter::kNone : Letter::kWord;
}

// Calls each(word, is_letters) in order of the text.
template <class Each>
void split(std::string_view text, bool with_single_han, const Each& each) {
  std::string word;
  char32_t before = 0;  // the Han character just read; 0: none
  bool was_paired = false;
  const auto end_han = [&] {
    if (before != 0 && !was_paired && !with_single_han) {
      std::string one;
      base::utf8_append(one, before);
      each(one, false);
    }
    before = 0;
    was_paired = false;
  };
  for (size_t at = 0; at < text.size();) {
    const char32_t c = folded(base::utf8_next(text, at));
    const Letter letter = letter_of(c);
    if (letter != Letter::kWord && !word.empty()) {
      each(std::string(base::utf8_prefix(word, kWordBytesMax)), true);
      word.clear();
    }
    if (letter != Letter::kHan) end_han();
    if (letter == Letter::kWord) base::utf8_append(word, c);
    if (letter != Letter::kHan) continue;
    std::string one, pair;
    base::utf8_append(one, c);
    if (with_single_han) each(one, false);
    if (before != 0) {
      base::utf8_append(pair, before);
      each(pair + one, false);
      was_paired = true;
    }
    before = c;
  }
  if (!word.empty()) each(std::string(base::utf8_prefix(word, kWordBytesMax)), true);
  end_han();
}

std::string spelling_of(const Json& value) {
  return value.is_string() ? value.as_string() : value.dump();
}

std::string bound(Values& values, Value value) {
  values.push_back(std::move(value));
  return "?" + std::to_string(values.size());
}

// For LIKE ... ESCAPE '\', which both databases know; words hold no capital that it could confuse.
std::string beginning(const std::string& word) {
  std::string pattern;
  for (const char c : word)
    pattern += (c == '%' || c == '_' || c == '\\' ? "\\" : "") + std::string(1, c);
  return pattern + "%";
}

Error bad_filter(const std::string& filter, std::string message) {
  return Error(Code::kInvalidArgument, std::move(message),
               "Write NAME=VALUE, NAME!=VALUE, or NAME>=VALUE with >, >=, < or <= for a number or "
               "a date (YYYY-MM-DD).")
      .at_field("label")
      .with("filter", filter);
}

Result<std::string> label_condition(const std::string& filter, Values& values) {
  const size_t at = filter.find_first_of("=<>!");
  if (at == std::string::npos || at == 0) return bad_filter(filter, "The filter has no operator.");
  std::string op = filter.substr(at, 1);
  if (at + 1 < filter.size() && filter[at + 1] == '=' && op != "=") op += '=';
  if (op == "!") return bad_filter(filter, "\"!\" is no operator.");
  const LabelValue wanted = label_value(filter.substr(at + op.size()));
  const std::string head = std::string("AND ") + (op == "!=" ? "NOT " : "") +
                           "EXISTS (SELECT 1 FROM dataset_labels l WHERE l.dataset_id = d.id"
                           " AND l.name = " +
                           bound(values, filter.substr(0, at));
  if (wanted.kind == "text") {
    if (op != "=" && op != "!=") return bad_filter(filter, "Texts have no order.");
    return head + " AND l.text = " + bound(values, wanted.text) + ") ";
  }
  return head + " AND l.kind = " + bound(values, wanted.kind) + " AND l.number " +
         (op == "!=" ? "=" : op) + " " + bound(values, wanted.number) + ") ";
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  split(text, true, [&](std::string word, bool) { words.insert(std::move(word)); });
  return {words.begin(), words.end()};
}

LabelValue label_value(std::string_view spelling) {
  LabelValue value{"text", std::string(spelling), 0};
  if (spelling == "true" || spelling == "false") {
    return {"bool", value.text, spelling == "true" ? 1.0 : 0.0};
  }
  const auto digits = [&](size_t at, size_t count) {
    int number = 0;
    for (const char c : spelling.substr(at, count)) {
      if (c < '0' || c > '9') return -1;
      number = number * 10 + (c - '0');
    }
    return number;
  };
  if (spelling.size() == 10 && spelling[4] == '-' && spelling[7] == '-') {
    const int year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (year < 0 || month < 0 || day < 0 || !date.ok()) return value;
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    return {"date", value.text, static_cast<double>(days)};
  }
  const auto json = base::parse_json(spelling);
  if (json.ok() && json->is_number() && std::isfinite(json->as_double())) {
    return {"number", value.text, json->as_double()};
  }
  return value;
}

Result<std::string> query_condition(const DatasetQuery& query, Values& values) {
  std::vector<std::pair<std::string, bool>> words;
  split(query.text, false, [&](std::string word, bool is_letters) {
    words.emplace_back(std::move(word), is_letters);
  });
  if (words.empty() && query.text.find_first_not_of(' ') != std::string::npos) {
    return std::string("AND 1 = 0 ");  // signs alone are in no data set's words
  }
  if (words.size() > kWordsMax || query.labels.size() > kFiltersMax) {
    return Error(Code::kInvalidArgument, "The query has more than 32 words or 16 filters.",
                 "Ask for less at once.")
        .at_field("q");
  }
  std::string condition;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto& [word, is_letters] = words[i];
    const bool may_be_cut = is_letters && i + 1 == words.size();
    condition += "AND EXISTS (SELECT 1 FROM dataset_words w WHERE w.dataset_id = d.id AND w.word " +
                 (may_be_cut ? "LIKE " + bound(values, beginning(word)) + " ESCAPE '\\') "
                             : "= " + bound(values, word) + ") ");
  }
  for (const std::string& filter : query.labels) {
    MORTISE_ASSIGN(const std::string one, label_condition(filter, values));
    condition += one;
  }
  return condition;
}

Status index_dataset(Connection& connection, const std::string& id, const std::string& name,
                     const std::string& description, const Json& labels) {
  MORTISE_TRY(connection.run("DELETE FROM dataset_words WHERE dataset_id = ?1", {id}));
  MORTISE_TRY(connection.run("DELETE FROM dataset_labels WHERE dataset_id = ?1", {id}));
  std::string text = name + "\n" + description;
  for (const auto& [key, value] : labels.members()) {
    const LabelValue typed = label_value(spelling_of(value));
    MORTISE_TRY(connection.run("INSERT INTO dataset_labels VALUES (?1, ?2, ?3, ?4, ?5)",
                               {id, key, typed.kind, typed.text, typed.number}));
    text += "\n" + key + "\n" + typed.text;
  }
  for (const std::string& word : words_of(text)) {
    MORTISE_TRY(connection.run("INSERT INTO dataset_words VALUES (?1, ?2)", {id, word}));
  }
  return {};
}

}  // namespace mortise::hub
