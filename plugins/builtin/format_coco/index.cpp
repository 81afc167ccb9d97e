// See index.h.
#include "index.h"

namespace mortise::format_coco {
namespace {

constexpr size_t kCategoriesMax = 1'000'000;

void read_members(sdk::JsonWalker& walker, Index& index) {
  bool has_images = false;
  walker.for_each_member([&](const std::string& key) {
    if (key == "images" && !std::exchange(has_images, true)) {
      return sdk::index_records(&walker, "id", "The image", &index.images, [](sdk::Json) {});
    }
    if (key == "annotations" && !std::exchange(index.has_annotations, true)) {
      return sdk::index_records(
          &walker, "image_id", "The annotation", &index.notes, [&](sdk::Json note) {
            if (index.layout != Layout::kUnknown) return;
            index.layout = note["caption"].exists() ? Layout::kCaptions : Layout::kDetection;
          });
    }
    if (key != "categories" || !index.categories.empty()) return walker.skip();
    std::vector<sdk::JsonEntry> entries;
    sdk::index_records(&walker, "id", "The category", &entries, [&](sdk::Json category) {
      if (entries.size() > kCategoriesMax) {
        throw sdk::resource_exhausted("The file holds more than " + std::to_string(kCategoriesMax) +
                                      " categories.")
            .at(walker.name());
      }
      if (!category["name"].is_text()) {
        throw sdk::invalid_argument("The category has no \"name\".")
            .at(walker.name(), -1, static_cast<int64_t>(entries.back().begin), "name");
      }
      index.categories.emplace(entries.back().key, category["name"].as_text());
    });
  });
  walker.expect_end();
  if (has_images) return;
  throw sdk::invalid_argument("The document has no member \"images\".").at(walker.name(), -1, 0);
}

// Replaces image ids by places.
void join_images(const std::string& name, Index& index) {
  std::unordered_map<int64_t, int64_t> places;
  places.reserve(index.images.size());
  for (size_t i = 0; i < index.images.size(); ++i) {
    const sdk::JsonEntry& image = index.images[i];
    if (places.emplace(image.key, static_cast<int64_t>(i)).second) continue;
    throw sdk::invalid_argument("The image id " + std::to_string(image.key) + " stands twice.")
        .at(name, -1, static_cast<int64_t>(image.begin), "id");
  }
  const sdk::File file = sdk::File::open(name);
  for (sdk::JsonEntry& note : index.notes) {
    const auto found = places.find(note.key);
    if (found != places.end()) {
      note.key = found->second;
      continue;
    }
    const sdk::JsonDocument record = sdk::parse_record(file, sdk::read_record(file, note), -1);
    const sdk::Json id = record.root()["id"];
    throw sdk::invalid_argument(
        "The annotation " + (id.is_integer() ? std::to_string(id.as_integer()) : "here") +
        " is of image " + std::to_string(note.key) + ", which is not among the images.")
        .at(name, -1, static_cast<int64_t>(note.begin), "image_id")
        .with_hint("Add the image's record, or take the annotation out.");
  }
}

void sort_by_image(Index& index) {
  std::stable_sort(index.notes.begin(), index.notes.end(),
                   [](const sdk::JsonEntry& a, const sdk::JsonEntry& b) { return a.key < b.key; });
  size_t note = 0;
  for (size_t image = 0; image < index.images.size(); ++image) {
    index.first_note.push_back(note);
    while (note < index.notes.size() && index.notes[note].key == static_cast<int64_t>(image))
      ++note;
  }
  index.first_note.push_back(note);
}

}  // namespace

Index read_index(const std::string& name, Layout layout) {
  Index index;
  index.layout = layout;
  sdk::JsonWalker walker{sdk::ByteReader(name)};
  read_members(walker, index);
  join_images(name, index);
  if (index.layout == Layout::kUnknown) index.layout = Layout::kDetection;
  if (index.layout == Layout::kDetection) sort_by_image(index);
  return index;
}

}  // namespace mortise::format_coco
