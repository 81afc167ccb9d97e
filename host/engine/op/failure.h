// The door between values and exceptions in the engine: inside libtorch's autograd an error can
// only travel as an exception, so the operations throw OpFailure; every public function of the
// engine runs its body in guarded(), which gives back a Result. Exceptions of libtorch itself end
// here too.
#pragma once

#include <exception>
#include <functional>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace mortise::engine {

class OpFailure : public std::exception {
 public:
  explicit OpFailure(base::Error error) : error_(std::move(error)) {}
  const char* what() const noexcept override { return error_.message.c_str(); }
  const base::Error& error() const { return error_; }

 private:
  base::Error error_;
};

[[noreturn]] inline void fail(base::Code code, std::string message, std::string hint = {}) {
  throw OpFailure(base::Error(code, std::move(message), std::move(hint)));
}

// The value of a Result inside the operations: throws its error.
template <class T>
T take(base::Result<T> result) {
  if (!result.ok()) throw OpFailure(std::move(result).error());
  return std::move(result).value();
}
inline void take(base::Status status) {
  if (!status.ok()) throw OpFailure(std::move(status).error());
}

// What the exception in flight means: OpFailure's own error, RESOURCE_EXHAUSTED for memory (also
// libtorch's allocator), INTERNAL with the first line of the text for anything else.
base::Error error_in_flight();

// Runs `body` (returning a Result) and turns what it throws into an error.
template <class Body>
auto guarded(Body&& body) -> std::invoke_result_t<Body> {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    return error_in_flight();
  }
}

}  // namespace mortise::engine
