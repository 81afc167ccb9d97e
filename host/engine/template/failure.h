// How an error travels inside engine/template: as an exception, because it is found deep in an
// expression. Template::parse and Template::render turn it into a Result; nothing else sees it.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "base/result.h"

namespace mortise::engine::jinja {

struct Place {
  int line = 0, column = 0;  // from 1; 0 unknown
};

class TemplateFailure : public std::exception {
 public:
  TemplateFailure(base::Code code, std::string message)
      : code_(code), message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  base::Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const Place& place() const { return place_; }
  // The innermost place wins.
  void set_place(Place place) {
    if (place_.line == 0) place_ = place;
  }

 private:
  base::Code code_;
  std::string message_;
  Place place_;
};

// The template or its data is wrong.
[[noreturn]] inline void fail(std::string message) {
  throw TemplateFailure(base::Code::kInvalidArgument, std::move(message));
}
[[noreturn]] inline void fail_at(Place place, std::string message,
                                 base::Code code = base::Code::kInvalidArgument) {
  TemplateFailure failure(code, std::move(message));
  failure.set_place(place);
  throw failure;
}
// Jinja has it, this subset does not.
[[noreturn]] inline void unknown(const std::string& what) {
  throw TemplateFailure(base::Code::kUnimplemented, what + " is not supported in chat templates.");
}

}  // namespace mortise::engine::jinja
