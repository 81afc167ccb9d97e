// mortise/cpp/json_index.hpp: records of a large JSON file by number, read again one at a time.
//
// Used by formats that join records of one file, or of two (COCO, VQA). An index is 24 bytes a
// record: the file may be far larger than memory.
#ifndef MORTISE_CPP_JSON_INDEX_HPP
#define MORTISE_CPP_JSON_INDEX_HPP

#include <mortise/cpp/json_walk.hpp>

namespace mortise::sdk {

// Where a record lies, and the number that it is found by.
struct JsonEntry {
  int64_t key = 0;
  uint64_t begin = 0;  // byte of the file
  uint32_t size_bytes = 0;
};

// The whole number `field` of a record. Throws INVALID_ARGUMENT with file and byte.
inline int64_t number_of(Json record, std::string_view field, std::string_view what,
                         std::string_view file, uint64_t begin) {
  const Json value = record[field];
  if (value.is_integer()) return value.as_integer();
  throw invalid_argument(std::string(what) + " has no whole number \"" + std::string(field) + "\".")
      .at(file, -1, static_cast<int64_t>(begin), field);
}

// Takes the array that comes next and appends an entry for each of its objects; see: called with
// each object, its handle valid during the call. what: "The image", for messages.
template <class See>
void index_records(JsonWalker* walker, std::string_view field, std::string_view what,
                   std::vector<JsonEntry>* entries, See&& see) {
  constexpr size_t kRecordsMax = 100'000'000;
  walker->for_each_item([&] {
    JsonSlice slice = walker->take();
    JsonEntry entry;
    entry.begin = slice.begin;
    entry.size_bytes = static_cast<uint32_t>(slice.text.size());
    const JsonDocument document = walker->parse(std::move(slice));
    if (!document.root().is_object()) {
      throw invalid_argument(std::string(what) + " is no object.")
          .at(walker->name(), -1, static_cast<int64_t>(entry.begin));
    }
    entry.key = number_of(document.root(), field, what, walker->name(), entry.begin);
    if (entries->size() >= kRecordsMax) {
      throw resource_exhausted("The file holds more than " + std::to_string(kRecordsMax) +
                               " records.")
          .at(walker->name());
    }
    entries->push_back(entry);
    see(document.root());
  });
}

// The record of an entry as it stands. Throws DATA_LOSS when the file has become shorter.
inline JsonSlice read_record(const File& file, const JsonEntry& entry) {
  JsonSlice slice{std::string(entry.size_bytes, '\0'), entry.begin};
  if (file.read_at(entry.begin, slice.text.data(), slice.text.size()) == slice.text.size()) {
    return slice;
  }
  throw data_loss("The file has become shorter since it was opened.")
      .at(file.name(), -1, static_cast<int64_t>(entry.begin));
}

// The tree of such a record. Throws INVALID_ARGUMENT with file, row and byte of the file.
inline JsonDocument parse_record(const File& file, JsonSlice slice, int64_t row) {
  JsonLimits limits;
  limits.depth = 128;
  try {
    return JsonDocument::parse(std::move(slice.text), limits);
  } catch (const Failure& failure) {
    throw failure.at(file.name(), row, static_cast<int64_t>(slice.begin) + failure.byte);
  }
}

}  // namespace mortise::sdk

#endif
