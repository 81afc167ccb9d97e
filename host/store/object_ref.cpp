// See object_ref.h.
#include "store/object_ref.h"

#include <algorithm>
#include <charconv>

namespace mortise::store {

std::string to_text(const ObjectRef& ref) {
  return "obj:" + base::to_hex(ref.id) + ":" + std::to_string(ref.size_bytes) +
         (ref.kind == ObjectKind::kSingle ? ":s" : ":r");
}

base::Result<ObjectRef> parse_object_ref(std::string_view text) {
  const base::Error refused(
      base::Code::kInvalidArgument,
      "\"" + std::string(text.substr(0, 120)) + "\" is not a reference to an object.",
      "One is \"obj:\", 64 lower-case hex digits, \":\", the size in bytes, \":s\" or \":r\".");
  if (text.size() < 4 + 64 + 4 || !text.starts_with("obj:") || text[68] != ':') return refused;
  const std::string_view hex = text.substr(4, 64), size = text.substr(69, text.size() - 71);
  if (hex.find_first_not_of("0123456789abcdef") != hex.npos) return refused;
  if (!text.ends_with(":s") && !text.ends_with(":r")) return refused;
  ObjectRef ref;
  const auto [end, failed] =
      std::from_chars(size.data(), size.data() + size.size(), ref.size_bytes);
  if (failed != std::errc() || end != size.data() + size.size()) return refused;
  if (size.size() > 1 && size[0] == '0') return refused;  // one spelling of a reference
  MORTISE_ASSIGN(const base::Bytes id, base::from_hex(hex));
  std::ranges::copy(id, ref.id.begin());
  ref.kind = text.back() == 's' ? ObjectKind::kSingle : ObjectKind::kRecipe;
  if (ref.kind == ObjectKind::kSingle && ref.size_bytes > kChunkSizeMax) return refused;
  return ref;
}

}  // namespace mortise::store
