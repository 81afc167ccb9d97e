// Any JSON as a schema: it loads or is refused, and a loaded one ends on itself as the value.
#include <string_view>

#include "base/json.h"
#include "base/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mortise::base;
  const auto document = parse_json({reinterpret_cast<const char*>(data), size});
  if (!document.ok()) return 0;
  const auto schema = Schema::load(*document);
  if (schema.ok()) (void)schema->check(*document);
  return 0;
}
