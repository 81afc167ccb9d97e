// tojson: Python's json.dumps(value, ensure_ascii=False) to the byte.
#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "engine/template/failure.h"
#include "engine/template/value.h"

namespace mortise::engine::jinja {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char byte : text) {
    const auto c = static_cast<unsigned char>(byte);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += byte;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\b') {
      out += "\\b";
    } else if (c == '\f') {
      out += "\\f";
    } else if (c < 0x20) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += byte;
    }
  }
  out += '"';
}

std::string float_json(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return float_text(value);
}

std::string key_text(const Value& key) {
  switch (key.kind()) {
    case Value::Kind::kString:
      return key.text();
    case Value::Kind::kNone:
      return "null";
    case Value::Kind::kBool:
      return key.truth() ? "true" : "false";
    case Value::Kind::kInt:
    case Value::Kind::kFloat:
      return key.to_text();
    default:
      fail(std::string("tojson: a key of type ") + key.type_name() + " is not possible in JSON.");
  }
}

class Writer {
 public:
  explicit Writer(const JsonStyle& style) : style_(style) {
    item_separator_ = !style.item_separator.empty() ? style.item_separator
                      : style.indent >= 0           ? ","
                                                    : ", ";
    key_separator_ = style.key_separator.empty() ? ": " : style.key_separator;
  }

  void write(const Value& value, int depth) {
    switch (value.kind()) {
      case Value::Kind::kNone:
        out += "null";
        return;
      case Value::Kind::kBool:
        out += value.truth() ? "true" : "false";
        return;
      case Value::Kind::kInt:
        out += std::to_string(value.integer());
        return;
      case Value::Kind::kFloat:
        out += float_json(value.number());
        return;
      case Value::Kind::kString:
        append_quoted(out, value.text());
        return;
      case Value::Kind::kList:
      case Value::Kind::kTuple:
        return write_list(value.items(), depth);
      case Value::Kind::kDict:
        return write_dict(value.entries(), depth);
      default:
        fail(std::string("tojson: a value of type ") + value.type_name() +
             " is not possible in JSON.");
    }
  }

  std::string out;

 private:
  void new_line(int depth) {
    if (style_.indent < 0) return;
    out += '\n';
    out.append(static_cast<size_t>(style_.indent * depth), ' ');
  }

  void write_list(const List& items, int depth) {
    if (items.empty()) {
      out += "[]";
      return;
    }
    out += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += item_separator_;
      new_line(depth + 1);
      write(items[i], depth + 1);
    }
    new_line(depth);
    out += ']';
  }

  void write_dict(const Dict& dict, int depth) {
    if (dict.entries.empty()) {
      out += "{}";
      return;
    }
    std::vector<std::pair<std::string, const Value*>> entries;
    for (const auto& [key, value] : dict.entries) entries.emplace_back(key_text(key), &value);
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    out += '{';
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out += item_separator_;
      new_line(depth + 1);
      append_quoted(out, entries[i].first);
      out += key_separator_;
      write(*entries[i].second, depth + 1);
    }
    new_line(depth);
    out += '}';
  }

  const JsonStyle& style_;
  std::string item_separator_, key_separator_;
};

}  // namespace

std::string to_json(const Value& value, const JsonStyle& style) {
  Writer writer(style);
  writer.write(value, 0);
  return std::move(writer.out);
}

}  // namespace mortise::engine::jinja
