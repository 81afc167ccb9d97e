// The host's side of mortise_error and mortise_sink: objects that a plugin writes into and that
// outlive it. Made on the stack for one call by the typed wrappers and by the engine.
#pragma once

#include <mortise/status.h>

#include <atomic>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mortise::plugin {

// ErrorBox error;  status = table->update(..., error.get());  MORTISE_TRY(error.check(status));
class ErrorBox {  // [serial]
 public:
  ErrorBox();
  ErrorBox(const ErrorBox&) = delete;
  ErrorBox& operator=(const ErrorBox&) = delete;

  mortise_error* get() { return &error_; }
  // OK, or the error that the plugin described. A code without words says so; a code outside the
  // canonical 16 becomes UNKNOWN with its number; words without a code are dropped.
  base::Status check(mortise_status status) const;
  // The words alone, whatever the code.
  base::Error described(mortise_status status) const;
  // Whether two threads wrote into it at once (a broken [serial] rule).
  bool is_misused() const { return is_misused_.load(std::memory_order_relaxed); }
  // Whether the plugin has called set since the last clear, and with which code.
  bool is_set() const { return is_set_; }
  mortise_status code() const { return code_; }
  void clear();
  // The box behind an error that this host made, or nullptr for a foreign one.
  static ErrorBox* from(mortise_error* error);

 private:
  class Entry;
  static void set(mortise_error* error, mortise_status code, mortise_text message);
  static void locate(mortise_error* error, mortise_text file, int64_t row, int64_t byte_offset,
                     mortise_text field);
  static void detail(mortise_error* error, mortise_text key, mortise_text value);
  mortise_error error_;
  base::Error words_;
  mortise_status code_ = MORTISE_STATUS_OK;
  bool is_set_ = false;
  std::atomic<bool> is_busy_{false}, is_misused_{false};
};

// Collects what a plugin writes, up to a limit.
class SinkBox {  // [serial]
 public:
  explicit SinkBox(uint64_t size_bytes_max = UINT64_C(64) << 20);
  SinkBox(const SinkBox&) = delete;
  SinkBox& operator=(const SinkBox&) = delete;

  mortise_sink* get() { return &sink_; }
  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  static int32_t write(mortise_sink* sink, const void* data, uint64_t size_bytes);

  mortise_sink sink_;
  uint64_t size_bytes_max_;
  std::string bytes_;
};

inline mortise_text text_of(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view view_of(mortise_text text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size_bytes);
}

}  // namespace mortise::plugin
