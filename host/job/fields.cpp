// See fields.h.
#include "job/fields.h"

namespace mortise::job {

using base::Json;

const Json* Fields::get(const char* key, Json::Kind kind, bool required) {
  const Json* found = value_->find(key);
  if (found != nullptr &&
      (found->kind() == kind || (kind == Json::Kind::kInt && found->kind() == Json::Kind::kUint))) {
    return found;
  }
  const bool absent = found == nullptr || found->is_null();
  if ((required || !absent) && status_.ok()) {
    status_ = base::Error(base::Code::kInvalidArgument,
                          std::string("The field \"") + key +
                              (absent ? "\" is missing." : "\" has the wrong type: ") +
                              (absent ? "" : std::string(found->kind_name()) + "."))
                  .at_file(file_)
                  .at_field(std::string("/") + key);
  }
  return nullptr;
}

std::string Fields::text(const char* key, bool required) {
  const Json* found = get(key, Json::Kind::kString, required);
  return found == nullptr ? std::string() : found->as_string();
}

int64_t Fields::integer(const char* key, int64_t fallback) {
  const Json* found = get(key, Json::Kind::kInt, false);
  return found == nullptr ? fallback : found->as_int(fallback);
}

const Json& Fields::object(const char* key) {
  static const Json empty = Json::object();
  const Json* found = get(key, Json::Kind::kObject, false);
  return found == nullptr ? empty : *found;
}

const Json& Fields::array(const char* key) {
  static const Json empty = Json::array();
  const Json* found = get(key, Json::Kind::kArray, false);
  return found == nullptr ? empty : *found;
}

base::Status Fields::status() const {
  return status_;
}

}  // namespace mortise::job
