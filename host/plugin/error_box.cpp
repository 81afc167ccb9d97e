// The functions that a plugin calls through mortise_error and mortise_sink. See error_box.h.
#include "plugin/error_box.h"

#include "base/utf8.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;

constexpr size_t kTextBytesMax = 16 * 1024;
constexpr size_t kDetailsMax = 32;

// What a plugin writes goes to people and logs: bounded, and valid UTF-8.
std::string take(mortise_text text) {
  std::string_view view = view_of(text);
  view = view.substr(0, kTextBytesMax);
  const size_t bad = base::utf8_error_offset(view);
  if (bad == SIZE_MAX) return std::string(view);
  std::string out(view.substr(0, bad));
  for (size_t at = bad; at < view.size();) base::utf8_append(out, base::utf8_next(view, at));
  return out;
}

Code code_of(mortise_status status) {
  if (status >= MORTISE_STATUS_OK && status <= MORTISE_STATUS_UNAUTHENTICATED) {
    return static_cast<Code>(status);
  }
  return Code::kUnknown;
}

}  // namespace

ErrorBox::ErrorBox() : error_{} {
  error_.struct_size = sizeof(mortise_error);
  error_.host = this;
  error_.set = &ErrorBox::set;
  error_.locate = &ErrorBox::locate;
  error_.detail = &ErrorBox::detail;
}

ErrorBox* ErrorBox::from(mortise_error* error) {
  if (error == nullptr || error->set != &ErrorBox::set) return nullptr;
  return static_cast<ErrorBox*>(error->host);
}

// One writer at a time: a second one that comes meanwhile is noted and its words are dropped.
class ErrorBox::Entry {
 public:
  explicit Entry(ErrorBox& box) : box_(box), is_alone_(!box.is_busy_.exchange(true)) {
    if (!is_alone_) box.is_misused_.store(true);
  }
  ~Entry() {
    if (is_alone_) box_.is_busy_.store(false);
  }
  bool is_alone() const { return is_alone_; }

 private:
  ErrorBox& box_;
  bool is_alone_;
};

void ErrorBox::set(mortise_error* error, mortise_status code, mortise_text message) {
  ErrorBox& box = *static_cast<ErrorBox*>(error->host);
  const Entry entry(box);
  if (!entry.is_alone()) return;
  box.words_ = Error(code_of(code), take(message));
  box.code_ = code;
  box.is_set_ = true;
}

void ErrorBox::locate(mortise_error* error, mortise_text file, int64_t row, int64_t byte_offset,
                      mortise_text field) {
  ErrorBox& box = *static_cast<ErrorBox*>(error->host);
  const Entry entry(box);
  if (!entry.is_alone()) return;
  box.words_.file = take(file);
  box.words_.row = row < 0 ? -1 : row;
  box.words_.byte_offset = byte_offset < 0 ? -1 : byte_offset;
  box.words_.field = take(field);
}

void ErrorBox::detail(mortise_error* error, mortise_text key, mortise_text value) {
  ErrorBox& box = *static_cast<ErrorBox*>(error->host);
  const Entry entry(box);
  if (!entry.is_alone()) return;
  if (view_of(key) == "hint") {
    box.words_.hint = take(value);
  } else if (box.words_.details.size() < kDetailsMax) {
    box.words_.with(take(key), take(value));
  }
}

base::Status ErrorBox::check(mortise_status status) const {
  if (status == MORTISE_STATUS_OK) return {};
  return described(status);
}

Error ErrorBox::described(mortise_status status) const {
  Error error = words_;
  error.code = code_of(status);
  if (!is_set_ || error.message.empty()) error.message = "The plugin gave no message.";
  if (status < MORTISE_STATUS_OK || status > MORTISE_STATUS_UNAUTHENTICATED) {
    error.with("status", std::to_string(status));
  }
  return error;
}

void ErrorBox::clear() {
  words_ = Error();
  code_ = MORTISE_STATUS_OK;
  is_set_ = false;
}

SinkBox::SinkBox(uint64_t size_bytes_max) : sink_{}, size_bytes_max_(size_bytes_max) {
  sink_.struct_size = sizeof(mortise_sink);
  sink_.user = this;
  sink_.write = &SinkBox::write;
}

int32_t SinkBox::write(mortise_sink* sink, const void* data, uint64_t size_bytes) {
  auto* box = static_cast<SinkBox*>(sink->user);
  if (size_bytes == 0) return MORTISE_STATUS_OK;
  if (data == nullptr) return MORTISE_STATUS_INVALID_ARGUMENT;
  if (size_bytes > box->size_bytes_max_ - box->bytes_.size()) {
    return MORTISE_STATUS_RESOURCE_EXHAUSTED;
  }
  box->bytes_.append(static_cast<const char*>(data), size_bytes);
  return MORTISE_STATUS_OK;
}

}  // namespace mortise::plugin
