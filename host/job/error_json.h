// Errors in JSON: RFC 9457 problems (our API, status files, --json) and OpenAI's shape (/v1). Every
// program speaks of an error in the same words.
#pragma once

#include "base/json.h"
#include "base/result.h"

namespace mortise::job {

int http_status_of(base::Code code);  // INVALID_ARGUMENT -> 400, ...
base::Code code_of_http_status(int status);

// {"type":"about:blank","title","status","detail","code", "hint"?, "file"?, "row"?, "byte_offset"?,
// "field"?, "details"?}. The one-line form is error.text().
base::Json problem_of(const base::Error& error);
base::Json problem_of(const base::Error& error, int http_status);
// Also reads a problem of somebody else, and OpenAI's shape.
base::Error error_of_problem(const base::Json& problem);

// {"error": {"message","type","param","code"}}
base::Json openai_error_of(const base::Error& error, int http_status);

}  // namespace mortise::job
