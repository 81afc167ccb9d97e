// The host's list of tables against the machine-readable form of the headers.
#include "plugin/tables.h"

#include <gtest/gtest.h>

#include "base/file_ops.h"
#include "base/json.h"
#include "plugin/tables_device.h"

namespace mortise::plugin {
namespace {

using base::Json;

const Json& abi() {
  static const Json json =
      base::parse_json(base::read_file(base::posix_file_ops(), MORTISE_ABI_JSON).value()).value();
  return json;
}

const char* spelling(Word word) {
  switch (word) {
    case Word::kSerial:
      return "serial";
    case Word::kParallel:
      return "parallel";
    case Word::kAny:
      return "any";
  }
  return "";
}

// Slots of the struct in the header: "name word", in order.
std::vector<std::string> slots_in_header(const std::string& name) {
  std::vector<std::string> out;
  for (const Json& item : abi()["structs"].items()) {
    if (item["name"].as_string() != name) continue;
    for (const Json& member : item["members"].items()) {
      const std::string& word = member["thread"].as_string();
      if (!word.empty()) out.push_back(member["name"].as_string() + " " + word);
    }
  }
  return out;
}

template <class Table>
std::vector<std::string> slots_in_list() {
  std::vector<std::string> out;
  std::apply(
      [&](auto... slot) {
        (out.push_back(std::string(slot.name) + " " + spelling(slot.word)), ...);
      },
      TableFacts<Table>::kSlots);
  return out;
}

TEST(Tables, ListEverySlotOfTheHeadersWithItsThreadWord) {
#define MORTISE_SAME(table) EXPECT_EQ(slots_in_list<table>(), slots_in_header(#table)) << #table
  MORTISE_SAME(mortise_metric);
  MORTISE_SAME(mortise_tokenizer);
  MORTISE_SAME(mortise_dataset_format);
  MORTISE_SAME(mortise_dataset_format_writer);
  MORTISE_SAME(mortise_tokenizer_trainer);
  MORTISE_SAME(mortise_loss);
  MORTISE_SAME(mortise_device_ops);
  MORTISE_SAME(mortise_device_discovery);
  MORTISE_SAME(mortise_device_memory);
  MORTISE_SAME(mortise_device_stream);
  MORTISE_SAME(mortise_device_torch_bridge);
  MORTISE_SAME(mortise_device_telemetry);
  MORTISE_SAME(mortise_device_partition);
  MORTISE_SAME(mortise_device_collective);
#undef MORTISE_SAME
}

TEST(Tables, LeaveNoRoomForAnUnlistedSlot) {
  const auto whole = [](size_t slots) { return 2 * sizeof(uint32_t) + slots * sizeof(void*); };
  EXPECT_EQ(sizeof(mortise_metric), whole(slots_in_list<mortise_metric>().size()));
  EXPECT_EQ(sizeof(mortise_tokenizer), whole(slots_in_list<mortise_tokenizer>().size()));
  EXPECT_EQ(sizeof(mortise_loss), whole(slots_in_list<mortise_loss>().size()));
  EXPECT_EQ(sizeof(mortise_device_ops), whole(slots_in_list<mortise_device_ops>().size()));
}

}  // namespace
}  // namespace mortise::plugin
