// multipart/form-data taken apart as it comes: a form with a file in it, as OpenAI's clients send.
// Holds the head of a part, never its content. Plain text in, calls out.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/result.h"

namespace mortise::server {

struct FormHooks {
  std::function<base::Status(const std::string& name, const std::string& filename)> begin_part;
  std::function<base::Status(base::ByteView piece)> data;
  std::function<base::Status()> end_part;
};

class FormReader {  // [serial]
 public:
  // content_type: the request's header. Errors: INVALID_ARGUMENT (415 when it is no form).
  static base::Result<FormReader> begin(std::string_view content_type, FormHooks hooks);
  // Errors: INVALID_ARGUMENT for a broken form; RESOURCE_EXHAUSTED for the head of a part over 16
  // KiB or more than 64 parts; those of the hooks.
  base::Status take(base::ByteView piece);
  // At the end of the body. Errors: INVALID_ARGUMENT when the form is not over.
  base::Status finish() const;

 private:
  enum class At { kData, kBoundary, kHead, kEnd };
  FormReader(std::string boundary, FormHooks hooks);
  base::Result<bool> step();  // false: more bytes are needed
  base::Result<bool> step_data();
  base::Result<bool> step_head();

  FormHooks hooks_;
  std::string delimiter_;  // "\r\n--" and the boundary
  std::string waiting_;
  At at_ = At::kData;
  bool is_part_ = false;  // what is before the first boundary is none
  int parts_ = 0;
};

}  // namespace mortise::server
