// See record_reader.h.
#include "record_reader.h"

#include <mortise/cpp/json_outline.hpp>
#include <mortise/cpp/json_write.hpp>

namespace mortise::format_json {
namespace {

constexpr size_t kShownMax = 8;

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

sdk::Failure unclear(const sdk::JsonWalker& walker, const std::string& message) {
  return sdk::invalid_argument(message)
      .at(walker.name(), -1, 0)
      .with_hint(
          "Say where the records are: the configuration's member \"records\", such as "
          "\"data\"; \"\" is the document itself.");
}

// Reads up to the value of the last member of the path.
void go_down(sdk::JsonWalker& walker, const std::vector<std::string>& path) {
  for (const std::string& wanted : path) {
    if (walker.enter_member(wanted)) continue;
    throw unclear(walker, "The document has no member \"" + wanted + "\".");
  }
}

// What an object at the root holds. Bounded, however many members there are.
struct Members {
  uint64_t count = 0;
  uint64_t objects = 0;
  std::vector<std::string> lists;  // members that are arrays of objects, kShownMax at most
  std::string first;
  sdk::JsonShape first_shape;
};

Members look_at_members(sdk::JsonWalker& walker) {
  Members seen;
  walker.for_each_member([&](const std::string& key) {
    sdk::JsonShape shape;
    sdk::walk_shape(&walker, &shape);
    if (shape.kind == '{') ++seen.objects;
    if (shape.kind == '[' && shape.item_kind == '{' && seen.lists.size() < kShownMax) {
      seen.lists.push_back(key);
    }
    if (seen.count++ > 0) return;
    seen.first = key;
    seen.first_shape = std::move(shape);
  });
  walker.expect_end();
  return seen;
}

Place guess(sdk::JsonWalker& walker) {
  if (walker.peek() == '[') return {};
  if (walker.peek() != '{') {
    throw unclear(walker, "The document is neither an array nor an object.");
  }
  const Members seen = look_at_members(walker);
  if (seen.lists.size() == 1) return {{seen.lists[0]}, false};
  if (seen.lists.size() > 1) {
    std::string names;
    for (const std::string& name : seen.lists)
      names += (names.empty() ? "\"" : ", \"") + name + '"';
    throw unclear(walker, "The document holds several lists of objects: " + names + ".");
  }
  // Objects of objects of objects are tables side by side, or a wrapper: not to be guessed.
  if (seen.count > 0 && seen.objects == seen.count && seen.first_shape.item_kind != '{') {
    return {{}, true};
  }
  throw unclear(walker, "The document holds no list of objects at its top.");
}

// The object `json` with one member before its own.
std::string with_key(const std::string& name, const std::string& key_json, const std::string& json,
                     bool is_empty) {
  std::string row = "{";
  sdk::append_json_text(&row, name);
  row += ':' + key_json + (is_empty ? "" : ",");
  return row.append(json, 1);
}

}  // namespace

Place find_records(const std::string& name, const Options& options) {
  sdk::JsonWalker walker(sdk::ByteReader(name), options.limits);
  if (walker.peek() == '\0') {
    throw sdk::invalid_argument("The file holds no JSON document.").at(name, -1, 0);
  }
  if (!options.records) return guess(walker);
  Place place{split(*options.records), false};
  go_down(walker, place.path);
  place.is_keyed = walker.peek() == '{';
  if (place.is_keyed || walker.peek() == '[') return place;
  throw unclear(walker, "\"" + *options.records + "\" is no list of records.");
}

RecordReader::RecordReader(const std::string& name, Place place, const Options& options,
                           const sdk::RowPosition* from)
    : walker_(sdk::ByteReader(name, from == nullptr ? 0 : from->at), options.limits),
      place_(std::move(place)),
      options_(options) {
  if (from != nullptr) {
    position_ = *from;
    return;
  }
  go_down(walker_, place_.path);
  walker_.expect(place_.is_keyed ? '{' : '[');
  position_.at = walker_.offset();
}

// Reads what stands before the next record; false when there is none.
bool RecordReader::go_to_record() {
  const char end = place_.is_keyed ? '}' : ']';
  if (position_.row == 1) return !walker_.accept(end);
  if (walker_.accept(',')) return true;
  if (!walker_.accept(end)) walker_.fail(std::string("expected \",\" or \"") + end + "\"");
  return false;
}

void RecordReader::read_rest() {
  for (size_t level = 0; level < place_.path.size(); ++level) walker_.leave_object();
  walker_.expect_end();
}

void RecordReader::take_record(sdk::JsonRow* out) {
  std::string key;
  if (place_.is_keyed) {
    walker_.peek();
    out->byte_offset = walker_.offset();
    sdk::JsonSlice slice = walker_.take();
    key = slice.text;
    if (!walker_.parse(std::move(slice)).root().is_text()) walker_.fail("expected a key in quotes");
    walker_.expect(':');
  }
  if (walker_.peek() != '{') walker_.fail("the record is no object");
  sdk::JsonSlice slice = walker_.take();
  if (!place_.is_keyed) out->byte_offset = slice.begin;
  out->json = slice.text;
  const sdk::JsonDocument document = walker_.parse(std::move(slice));
  if (!place_.is_keyed) return;
  if (document.root()[options_.key].exists()) {
    throw sdk::invalid_argument("The record has a member \"" + options_.key +
                                "\" of its own, where its name shall stand.")
        .at(walker_.name(), -1, static_cast<int64_t>(out->byte_offset), options_.key)
        .with_hint("Choose another name: the configuration's member \"key\".");
  }
  out->json = with_key(options_.key, key, out->json, document.root().size() == 0);
}

bool RecordReader::next(sdk::JsonRow* out) {
  if (is_done_) return false;
  try {
    if (!go_to_record()) {
      is_done_ = true;
      read_rest();
      return false;
    }
    take_record(out);
  } catch (const sdk::Failure& failure) {
    throw failure.at(walker_.name(), static_cast<int64_t>(position_.row), failure.byte,
                     failure.field);
  }
  ++position_.row;
  position_.at = walker_.offset();
  return true;
}

}  // namespace mortise::format_json
