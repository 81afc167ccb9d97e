// See page.h.
#include "hub/page.h"

#include <charconv>

namespace mortise::hub {

base::Result<TimeCursor> parse_time_cursor(std::string_view cursor) {
  TimeCursor parsed;
  if (cursor.empty()) return parsed;
  const auto [end, error] =
      std::from_chars(cursor.data(), cursor.data() + cursor.size(), parsed.created_ns);
  if (error != std::errc() || end == cursor.data() + cursor.size() || *end != '.') {
    return base::Error(base::Code::kInvalidArgument, "The cursor is not one that a list gave.",
                       "Leave it out to start at the first page.")
        .at_field("cursor");
  }
  parsed.id = std::string(end + 1, cursor.data() + cursor.size());
  return parsed;
}

std::string write_time_cursor(int64_t created_ns, const std::string& id) {
  return std::to_string(created_ns) + "." + id;
}

base::Json stored_json(const std::string& text) {
  auto value = base::parse_json(text);
  return value.ok() ? std::move(value).value() : base::Json();
}

base::Error not_found(std::string_view what, std::string_view name, std::string hint) {
  return base::Error(base::Code::kNotFound,
                     "The " + std::string(what) + " \"" + std::string(name) + "\" does not exist.",
                     std::move(hint));
}

base::Result<Page<store::NamedObject>> page_of_names(const store::NameTable& table,
                                               const PageRequest& page) {
  MORTISE_ASSIGN(const uint64_t first, page.cursor.empty() ? base::Result<uint64_t>(uint64_t{0})
                                                           : table.after(page.cursor));
  Page<store::NamedObject> result;
  MORTISE_ASSIGN(result.items, table.entries(first, static_cast<uint64_t>(page.limit)));
  if (!result.items.empty() && first + result.items.size() < table.count()) {
    result.next_cursor = result.items.back().name;
  }
  return result;
}

}  // namespace mortise::hub
