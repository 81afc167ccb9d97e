// JSON Schema, draft 2020-12: our own validator (docs/ARCHITECTURE.md says why). A schema with a
// keyword that it does not know is refused when it is loaded, never ignored. Works over a value
// view that both Json and the row reader of base/json_read give. "$ref" stays inside the schema
// and the documents handed to load(); nothing is fetched.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mortise::base {

struct SchemaFinding {
  std::string pointer;  // RFC 6901 place in the value
  std::string keyword;  // "required"
  std::string message;  // whole sentence
};

class Schema {  // [any] once loaded
 public:
  // others: documents that "$ref" may name by their "$id".
  // Errors: INVALID_ARGUMENT naming the pointer and the keyword that is unknown or malformed.
  static Result<Schema> load(const Json& document, const std::vector<Json>& others = {});
  // Empty when valid; at most findings_max, in document order.
  std::vector<SchemaFinding> check(const Json& value, size_t findings_max = 64) const;
  // The first finding as an error that names `what` ("job.json"), or OK.
  Status require(const Json& value, std::string_view what) const;
  // `value` with the `default` of every absent property of its objects filled in.
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
