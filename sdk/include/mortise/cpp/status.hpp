// mortise/cpp/status.hpp: errors as exceptions inside a plugin, as codes at its border.
//
// Included by every other header of cpp/. A plugin throws Failure anywhere; guarded() is the one
// barrier where it becomes a code and words in the host's error object. Knows nothing of services.
#ifndef MORTISE_CPP_STATUS_HPP
#define MORTISE_CPP_STATUS_HPP

#include <mortise/status.h>

#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace mortise::sdk {

inline mortise_text text(std::string_view view) {
  return {view.data(), view.size()};
}

// What went wrong, where, and what to do. Throw it; the members after message are optional.
class Failure : public std::exception {
 public:
  Failure(mortise_status code_in, std::string message_in)
      : code(code_in), message(std::move(message_in)) {}

  // Says where: row from 1, byte from 0; -1 and "" mean unknown.
  Failure at(std::string_view file_in, int64_t row_in = -1, int64_t byte_in = -1,
             std::string_view field_in = {}) const {
    Failure copy = *this;
    copy.file = file_in;
    copy.row = row_in;
    copy.byte = byte_in;
    copy.field = field_in;
    return copy;
  }
  Failure with_hint(std::string hint_in) const {
    Failure copy = *this;
    copy.hint = std::move(hint_in);
    return copy;
  }
  const char* what() const noexcept override { return message.c_str(); }

  // Writes everything into the host's object and returns the code, never OK. error may be NULL.
  mortise_status report(mortise_error* error) const noexcept {
    const mortise_status safe = code == MORTISE_STATUS_OK ? MORTISE_STATUS_INTERNAL : code;
    if (MORTISE_HAS(error, mortise_error, set)) error->set(error, safe, text(message));
    const bool located = !file.empty() || row >= 0 || byte >= 0 || !field.empty();
    if (located && MORTISE_HAS(error, mortise_error, locate)) {
      error->locate(error, text(file), row, byte, text(field));
    }
    if (!hint.empty() && MORTISE_HAS(error, mortise_error, detail)) {
      error->detail(error, text("hint"), text(hint));
    }
    return safe;
  }

  mortise_status code;
  std::string message;
  std::string file;
  int64_t row = -1;
  int64_t byte = -1;
  std::string field;  // JSON pointer or column name
  std::string hint;   // what the reader can do
};

inline Failure invalid_argument(std::string message) {
  return Failure(MORTISE_STATUS_INVALID_ARGUMENT, std::move(message));
}
inline Failure unimplemented(std::string message) {
  return Failure(MORTISE_STATUS_UNIMPLEMENTED, std::move(message));
}
inline Failure data_loss(std::string message) {
  return Failure(MORTISE_STATUS_DATA_LOSS, std::move(message));
}
inline Failure out_of_range(std::string message) {
  return Failure(MORTISE_STATUS_OUT_OF_RANGE, std::move(message));
}
inline Failure resource_exhausted(std::string message) {
  return Failure(MORTISE_STATUS_RESOURCE_EXHAUSTED, std::move(message));
}
inline Failure internal_fault(std::string message) {
  return Failure(MORTISE_STATUS_INTERNAL, std::move(message));
}

// Runs body() and turns whatever it throws into a code and words: Failure as it says, bad_alloc to
// RESOURCE_EXHAUSTED, other exceptions to INTERNAL, anything else to UNKNOWN. Nothing passes. [any]
template <class Body>
mortise_status guarded(mortise_error* error, Body&& body) noexcept {
  const auto set = [error](mortise_status code, std::string_view words) {
    if (MORTISE_HAS(error, mortise_error, set)) error->set(error, code, text(words));
    return code;
  };
  try {
    body();
    return MORTISE_STATUS_OK;
  } catch (const Failure& failure) {
    return failure.report(error);
  } catch (const std::bad_alloc&) {
    return set(MORTISE_STATUS_RESOURCE_EXHAUSTED, "The plugin ran out of memory.");
  } catch (const std::exception& exception) {
    return set(MORTISE_STATUS_INTERNAL, exception.what());
  } catch (...) {
    return set(MORTISE_STATUS_UNKNOWN, "The plugin threw something that is no std::exception.");
  }
}

// An error object for calls of services: collects what the host says, so that it can be thrown.
// Must stay where it is while a call uses it.
class ErrorCollector {
 public:
  ErrorCollector() {
    error_.struct_size = sizeof(error_);
    error_.host = this;
    error_.set = [](mortise_error* error, mortise_status code, mortise_text message) {
      Failure& failure = self(error)->failure_;
      failure = Failure(code, std::string(message.data, message.size_bytes));
    };
    error_.locate = [](mortise_error* error, mortise_text file, int64_t row, int64_t byte,
                       mortise_text field) {
      Failure& failure = self(error)->failure_;
      failure.file.assign(file.data, file.size_bytes);
      failure.row = row;
      failure.byte = byte;
      failure.field.assign(field.data, field.size_bytes);
    };
    error_.detail = [](mortise_error* error, mortise_text key, mortise_text value) {
      if (std::string_view(key.data, key.size_bytes) == "hint") {
        self(error)->failure_.hint.assign(value.data, value.size_bytes);
      }
    };
  }
  ErrorCollector(const ErrorCollector&) = delete;
  ErrorCollector& operator=(const ErrorCollector&) = delete;

  mortise_error* raw() { return &error_; }
  // Throws what was collected when status is not OK; `what` serves a callee that left no words.
  void check(mortise_status status, std::string_view what) {
    if (status == MORTISE_STATUS_OK) return;
    if (failure_.message.empty())
      failure_.message = std::string(what) + " failed without a message.";
    failure_.code = status;
    throw failure_;
  }

 private:
  static ErrorCollector* self(mortise_error* error) {
    return static_cast<ErrorCollector*>(error->host);
  }

  mortise_error error_{};
  Failure failure_{MORTISE_STATUS_OK, ""};
};

}  // namespace mortise::sdk

#endif
