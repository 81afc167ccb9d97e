// Reading our own small JSON documents (task.json, dataset.json, result.json) field by field, with
// an error that names file and field. Used by the readers of this folder only.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace mortise::job {

class Fields {  // [serial]
 public:
  Fields(const base::Json& value, std::string file) : value_(&value), file_(std::move(file)) {}

  // A field of the wrong kind, or one that is required and absent, is noted; the first such error
  // is what status() gives.
  std::string text(const char* key, bool required = false);
  int64_t integer(const char* key, int64_t fallback = 0);
  const base::Json& object(const char* key);
  const base::Json& array(const char* key);
  base::Status status() const;

 private:
  const base::Json* get(const char* key, base::Json::Kind kind, bool required);
  const base::Json* value_;
  std::string file_;
  base::Status status_;
};

}  // namespace mortise::job
