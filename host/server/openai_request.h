// OpenAI's chat request, checked field by field before a worker sees it: what is of a wrong kind or
// out of range, what is not known, and what is known but not served are errors that name the field
// (`param`). Called by openai_api. Knows nothing of endpoints or workers.
#pragma once

#include "base/json.h"
#include "base/result.h"

namespace mortise::server {

// The request as the worker takes it ({"verb": "generate", ...}, OpenAI's names; null fields left
// out). What would change the answer and is not done is refused; what cannot change it (user,
// metadata, service_tier, ...) is checked and left out. Errors: INVALID_ARGUMENT with the field.
base::Result<base::Json> chat_request_of(const base::Json& body);

}  // namespace mortise::server
