// Both JSON readers over any bytes: they agree on what is JSON, and what was read survives a round
// trip.
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "base/json_read.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mortise::base;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto slow = parse_json(text);
  RowReader reader;
  const auto fast = reader.parse(text);
  if (slow.ok() != fast.ok()) std::abort();
  if (!slow.ok()) return 0;
  if (!(*slow == *fast)) std::abort();
  const auto again = parse_json(slow->canonical());
  if (!again.ok() || !(*again == *slow) || again->canonical() != slow->canonical()) std::abort();
  return 0;
}
