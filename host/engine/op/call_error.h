// The host's side of mortise_error for the calls that the engine makes itself: it keeps the
// plugin's words and throws them as OpFailure. Used by op/device and op/loss.
#pragma once

#include <mortise/status.h>

#include <string>
#include <string_view>

#include "engine/op/failure.h"

namespace mortise::engine {

// The host's error object for one call; it lives on the stack of the caller.
class CallError {
 public:
  CallError() {
    table_.struct_size = sizeof(table_);
    table_.host = this;
    table_.set = [](mortise_error* error, mortise_status code, mortise_text message) {
      auto& self = of(error);
      self.error_ = base::Error(static_cast<base::Code>(code), text(message));
    };
    table_.locate = [](mortise_error* error, mortise_text file, int64_t row, int64_t byte_offset,
                       mortise_text field) {
      of(error).error_.at_file(text(file)).at_row(row).at_byte(byte_offset).at_field(text(field));
    };
    table_.detail = [](mortise_error* error, mortise_text key, mortise_text value) {
      auto& self = of(error).error_;
      if (self.details.size() < 32) self.with(text(key), text(value));
    };
  }
  mortise_error* get() { return &table_; }

  // Throws when `status` is not OK: the plugin's words, and what was being done.
  void check(mortise_status status, std::string_view doing) {
    if (status == MORTISE_STATUS_OK) return;
    error_.code = static_cast<base::Code>(status);
    if (error_.message.empty()) error_.message = "The device gave no message.";
    error_.with("operation", std::string(doing));
    throw OpFailure(error_);
  }

 private:
  static CallError& of(mortise_error* error) { return *static_cast<CallError*>(error->host); }
  static std::string text(mortise_text view) {
    return view.data == nullptr ? std::string() : std::string(view.data, view.size_bytes);
  }
  mortise_error table_{};
  base::Error error_;
};

}  // namespace mortise::engine
