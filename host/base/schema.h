// JSON Schema, draft 2020-12: our own validator (docs/ARCHITECTURE.md says why). A schema with a
// keyword that it does not know is refused when it is loaded, never ignored. "$ref" stays inside
// the schema and the documents handed to load(); nothing is fetched. Numbers are compared exactly.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/json_tape.h"
#include "base/result.h"

namespace mortise::base {

struct SchemaFinding {
  std::string pointer;  // RFC 6901 place in the value
  std::string keyword;  // "required"
  std::string message;  // whole sentence
  std::string hint{};   // for a field that is unknown: those that are known; else empty
};

struct SchemaOptions {
  // Checked: date-time date time uri uuid email ipv4 ipv6 regex json-pointer. The other formats of
  // the draft are annotations; a format that it does not know is refused unless it begins "x-".
  bool checks_formats = true;
  // Subschemas that one check() may try, at about 0.1 us each: a schema whose work doubles with
  // each level ends in a finding, not in a hang.
  int64_t steps_max = 20'000'000;
};

class Schema {  // [any] once loaded
 public:
  // others: documents that "$ref" may name by their "$id". Keywords that begin "x-" are notes.
  // Errors: INVALID_ARGUMENT with the pointer (field) of the keyword that is unknown or malformed,
  // of the pattern that does not compile or of the "$ref" that names nothing.
  static Result<Schema> load(const Json& document, const std::vector<Json>& others = {},
                             const SchemaOptions& options = {});
  // Empty when valid; at most findings_max, in document order.
  std::vector<SchemaFinding> check(const Json& value, size_t findings_max = 64) const;
  // True only for a valid value, at a small part of the cost of check(); false says nothing.
  bool surely_accepts(TapeValue value) const;
  // The first finding as an error that names `what` ("job.json"), or OK.
  Status require(const Json& value, std::string_view what) const;
  // `value` with the `default` of every absent property of its objects filled in: through
  // "properties", "additionalProperties", "items", "prefixItems", "$ref" and "allOf"; not through
  // "if", "anyOf", "oneOf", where it depends on the value which schema counts.
  Json with_defaults(const Json& value) const;

  struct State;  // schema_state.h
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;
  ~Schema();

 private:
  explicit Schema(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace mortise::base
