// The host's side of mortise_error and mortise_sink: objects that a plugin writes into and that
// outlive it. Made on the stack for one call by the typed wrappers and by the engine.
#pragma once

#include <mortise/status.h>

#include <string>
#include <string_view>
#include <thread>

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
  // Whether a thread other than the maker's wrote into it (a broken [serial] rule).
  bool was_misused() const { return was_misused_; }
  void clear();

 private:
  static void set(mortise_error* error, mortise_status code, mortise_text message);
  static void locate(mortise_error* error, mortise_text file, int64_t row, int64_t byte_offset,
                     mortise_text field);
  static void detail(mortise_error* error, mortise_text key, mortise_text value);
  static ErrorBox* owner(mortise_error* error);

  mortise_error error_;
  std::thread::id maker_;
  base::Error words_;
  mortise_status code_ = MORTISE_STATUS_OK;
  bool was_set_ = false, was_misused_ = false;
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
  bool is_over_limit() const { return is_over_limit_; }

 private:
  static int32_t write(mortise_sink* sink, const void* data, uint64_t size_bytes);

  mortise_sink sink_;
  uint64_t size_bytes_max_;
  std::string bytes_;
  bool is_over_limit_ = false;
};

inline mortise_text text_of(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view view_of(mortise_text text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size_bytes);
}

}  // namespace mortise::plugin
