// See task_row.h.
#include "task_row.h"

#include <mortise/cpp/format_rows.hpp>

#include <array>
#include <map>
#include <set>

namespace mortise::format_labelstudio {
namespace {

// Names of data members that are media, as rows call them.
std::string_view target_of(std::string_view key) {
  static const std::map<std::string_view, std::string_view> names = {
      {"image", "image_path"}, {"img", "image_path"},   {"picture", "image_path"},
      {"audio", "audio_path"}, {"sound", "audio_path"}, {"video", "video"}};
  const auto found = names.find(key);
  return found == names.end() ? key : found->second;
}

// "/data/upload/3/a.png" and "/data/local-files/?d=x/a.png" name files; other texts stay.
std::string file_name(std::string_view value, const std::string& folder) {
  constexpr std::string_view kUpload = "/data/upload/", kLocal = "/data/local-files/?d=";
  if (value.substr(0, kLocal.size()) == kLocal) {
    return sdk::name_in(folder, value.substr(kLocal.size()));
  }
  if (value.substr(0, kUpload.size()) != kUpload) return std::string(value);
  return sdk::name_in(folder, value.substr(value.rfind('/') + 1));
}

sdk::Failure wrong(const std::string& message, sdk::Json where) {
  return sdk::invalid_argument(message).at("", -1, -1, where.pointer());
}

double number(sdk::Json value, std::string_view field) {
  if (value[field].is_number()) return value[field].as_double();
  throw wrong("A rectangle has no number \"" + std::string(field) + "\".", value);
}

// Percent of the picture, turned about its first corner, as upright corners.
std::array<double, 4> corners(sdk::Json result, bool is_norm) {
  const sdk::Json value = result["value"];
  const double turn = value.get("rotation", 0.0) * std::acos(-1.0) / 180;
  const bool has_size =
      result["original_width"].is_number() && result["original_height"].is_number();
  if (!has_size && (!is_norm || turn != 0)) {
    throw wrong("The rectangle does not tell the picture's original_width and original_height.",
                result)
        .with_hint("Export with them, or set \"boxes\": \"norm\".");
  }
  const double across = has_size ? result["original_width"].as_double() : 1;
  const double down = has_size ? result["original_height"].as_double() : 1;
  const double x = number(value, "x") * across / 100, y = number(value, "y") * down / 100;
  const double w = number(value, "width") * across / 100;
  const double h = number(value, "height") * down / 100;
  const double c = std::cos(turn), s = std::sin(turn);
  const std::array<double, 4> xs = {x, x + w * c, x - h * s, x + w * c - h * s};
  const std::array<double, 4> ys = {y, y + w * s, y + h * c, y + w * s + h * c};
  const auto [left, right] = std::minmax_element(xs.begin(), xs.end());
  const auto [top, bottom] = std::minmax_element(ys.begin(), ys.end());
  const double unit_x = is_norm ? across : 1, unit_y = is_norm ? down : 1;
  return {*left / unit_x, *top / unit_y, *right / unit_x, *bottom / unit_y};
}

// The results of one annotation, gathered.
class Results {
 public:
  explicit Results(const Options& options) : options_(options) {}

  void add(sdk::Json result) {
    const std::string_view type = result["type"].as_text();
    const sdk::Json value = result["value"];
    if (type == "rectanglelabels") return add_box(result);
    for (const auto& [known, field] : kValues) {
      if (type != known || !value[field].exists()) continue;
      std::vector<std::string>& found = values_[std::string(result["from_name"].as_text())];
      const auto keep = [&](sdk::Json item) { append_json(&found.emplace_back(), item); };
      if (value[field].is_array()) {
        value[field].for_each_item(keep);
      } else {
        keep(value[field]);
      }
      return;
    }
    regions_ += regions_.empty() ? '[' : ',';
    append_json(&regions_, result);
  }

  // taken: names that the row has already.
  void write(sdk::JsonObject& row, const std::set<std::string>& taken) const {
    for (const auto& [name, values] : values_) {
      std::string list;
      for (const std::string& value : values) list += (list.empty() ? "" : ",") + value;
      row.raw(taken.count(name) != 0 ? name + "_result" : name,
              values.size() == 1 ? list : '[' + list + ']');
    }
    if (!names_.empty()) {
      row.raw("objects", "{\"ref\":[" + names_ + "],\"bbox\":[" + boxes_ + "],\"bbox_type\":\"" +
                             (options_.is_norm ? "norm1" : "real") + "\"}");
    }
    if (!regions_.empty()) row.raw("regions", regions_ + ']');
  }

 private:
  // Type of a result and the member of its value.
  static constexpr std::pair<std::string_view, std::string_view> kValues[] = {
      {"choices", "choices"}, {"textarea", "text"}, {"number", "number"}, {"rating", "rating"}};

  void add_box(sdk::Json result) {
    std::string box = "[";
    for (const double value : corners(result, options_.is_norm)) {
      if (box.size() > 1) box += ',';
      sdk::append_json_number(&box, std::round(value * 1e6) / 1e6);
    }
    result["value"]["rectanglelabels"].for_each_item([&](sdk::Json label) {
      names_ += names_.empty() ? "" : ",";
      sdk::append_json_text(&names_, label.as_text());
      boxes_ += (boxes_.empty() ? "" : ",") + box + ']';
    });
  }

  const Options& options_;
  std::map<std::string, std::vector<std::string>> values_;  // JSON texts
  std::string names_, boxes_, regions_;
};

}  // namespace

std::string row_of(sdk::Json task, sdk::Json annotation, const Options& options) {
  const sdk::Json data = task["data"];
  if (!data.is_object()) throw wrong("The task has no object \"data\".", task);
  sdk::JsonObject row;
  std::set<std::string> taken = {"task_id", "annotation_id", "objects", "regions"};
  if (task["id"].exists()) row.value("task_id", task["id"]);
  if (annotation["id"].exists()) row.value("annotation_id", annotation["id"]);
  data.for_each_member([&](std::string_view key, sdk::Json value) {
    const std::string name(target_of(key));
    if (!taken.insert(name).second) {
      throw wrong("Two members of \"data\" would be \"" + name + "\" of the row.", value);
    }
    if (value.is_text()) {
      row.text(name, file_name(value.as_text(), options.media_folder));
    } else {
      row.value(name, value);
    }
  });
  if (!annotation.exists()) return row.finish();
  if (annotation.get("was_cancelled", false)) row.raw("was_cancelled", "true");
  Results results(options);
  annotation["result"].for_each_item([&](sdk::Json result) { results.add(result); });
  results.write(row, taken);
  return row.finish();
}

}  // namespace mortise::format_labelstudio
