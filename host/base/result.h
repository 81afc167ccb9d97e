// Errors as values: Code, Error, Result<T>. Everything in host/ returns these; exceptions of
// libraries are caught at their door (docs/ARCHITECTURE.md lists the doors). The codes are the ones
// of the C ABI (mortise/status.h), so nothing is lost when an error crosses a plugin's border.
// Knows nothing of logging or HTTP; server/http and cli turn an Error into their own form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mortise::base {

enum class Code : int32_t {
  kOk = 0,
  kCancelled = 1,           // the caller asked to stop
  kUnknown = 2,             // an error of another domain with no better code
  kInvalidArgument = 3,     // the input is wrong whatever the state; the caller mends it
  kDeadlineExceeded = 4,    // time ran out
  kNotFound = 5,            // the named thing does not exist
  kAlreadyExists = 6,       // the thing to be made is there
  kPermissionDenied = 7,    // known caller, not allowed
  kResourceExhausted = 8,   // memory, disk, quota or a limit
  kFailedPrecondition = 9,  // right input, wrong state; mend the state first
  kAborted = 10,            // lost a race; try again from the start
  kOutOfRange = 11,         // past the end
  kUnimplemented = 12,      // this build or plugin does not do it
  kInternal = 13,           // a broken promise of ours or of a plugin
  kUnavailable = 14,        // try again later
  kDataLoss = 15,           // stored bytes are damaged or incomplete
  kUnauthenticated = 16,    // unknown caller
};

// The spelling used in JSON and messages: "INVALID_ARGUMENT".
const char* code_name(Code code);

// What went wrong, where, and what to do. A message is a whole sentence that names the thing.
struct Error {
  Code code = Code::kUnknown;
  std::string message;
  std::string hint;          // what the reader can do; may be empty
  std::string file;          // path as the user wrote it; may be empty
  int64_t row = -1;          // first row is 1; -1 unknown
  int64_t byte_offset = -1;  // from the start of the file; -1 unknown
  std::string field;         // JSON pointer or column; may be empty
  std::vector<std::pair<std::string, std::string>> details;

  Error() = default;
  Error(Code code_in, std::string message_in, std::string hint_in = {})
      : code(code_in), message(std::move(message_in)), hint(std::move(hint_in)) {}

  Error& at_file(std::string path) {
    file = std::move(path);
    return *this;
  }
  Error& at_row(int64_t row_in) {
    row = row_in;
    return *this;
  }
  Error& at_byte(int64_t offset) {
    byte_offset = offset;
    return *this;
  }
  Error& at_field(std::string name) {
    field = std::move(name);
    return *this;
  }
  Error& with(std::string key, std::string value) {
    details.emplace_back(std::move(key), std::move(value));
    return *this;
  }
  // "file row 3 (byte 91), field /x: message hint", leaving out what is unknown.
  std::string text() const;
};

// A T or an Error. value() and error() may be called only on the right side (asserted).
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  // By value, so that what a temporary held outlives it: for (x : f().value()).
  T value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace mortise::base

// Leaves the function with the error of `expression`, if it has one.
#define MORTISE_TRY(expression)                                                 \
  do {                                                                          \
    auto mortise_try_result = (expression);                                     \
    if (!mortise_try_result.ok()) return std::move(mortise_try_result).error(); \
  } while (false)

// MORTISE_ASSIGN(auto x, f()): x is the value, or the function is left with the error.
#define MORTISE_JOIN_(a, b) a##b
#define MORTISE_JOIN(a, b) MORTISE_JOIN_(a, b)
#define MORTISE_ASSIGN(target, expression) \
  MORTISE_ASSIGN_(target, expression, MORTISE_JOIN(mortise_result_, __LINE__))
#define MORTISE_ASSIGN_(target, expression, name) \
  auto name = (expression);                       \
  if (!name.ok()) return std::move(name).error(); \
  target = std::move(name).value()
