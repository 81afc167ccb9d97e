// The list of violations and the checks of checks.h.
#include "plugin/guard.h"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "plugin/checks.h"
#include "plugin/keep.h"
#include "plugin/trace.h"

namespace mortise::plugin {
namespace {

constexpr size_t kViolationsMax = 1000;

std::mutex violations_mutex;
std::vector<Violation>& violations() {
  static auto* list = new std::vector<Violation>();
  return *list;
}

// A handle that is alive.
struct Handle {
  std::string label;
  std::thread::id thread;  // in a [serial] call on it
  int depth = 0;
};
std::mutex handles_mutex;
std::map<const void*, Handle>& handles() {
  static auto* map = new std::map<const void*, Handle>();
  return *map;
}

// Stands before an Arrow struct's own release. Kept for ever: a late second release must find it.
template <class T>
struct Watched {
  T inner;
  std::string label, slot;
  uint32_t trace = 0;
  std::atomic<bool> is_released{false};
};

template <class T>
void release_watched(T* self) {
  auto* watched = static_cast<Watched<T>*>(self->private_data);
  self->release = nullptr;
  if (watched->is_released.exchange(true)) {
    report_violation({watched->label, watched->slot, "release",
                      "An Arrow struct of this call was released twice."});
    return;
  }
  const TraceScope trace(watched->trace);
  watched->inner.release(&watched->inner);
  if (watched->inner.release != nullptr) {
    report_violation({watched->label, watched->slot, "release",
                      "The release function did not set release to NULL."});
  }
}

template <class T>
void watch(T* given, const std::string& label, const std::string& slot) {
  auto* watched =
      keep_forever(new Watched<T>{*given, label, slot, trace_id(label, slot + " release")});
  given->private_data = watched;
  given->release = &release_watched<T>;
}

}  // namespace

std::vector<Violation> violations_of(std::string_view pack_label) {
  const std::lock_guard lock(violations_mutex);
  std::vector<Violation> out;
  for (const Violation& violation : violations()) {
    if (pack_label.empty() || violation.pack == pack_label) out.push_back(violation);
  }
  return out;
}

void report_violation(Violation violation) {
  const std::lock_guard lock(violations_mutex);
  if (violations().size() < kViolationsMax) violations().push_back(std::move(violation));
}

void forget_violations() {
  const std::lock_guard lock(violations_mutex);
  violations().clear();
}

void CallChecks::broke(const char* rule, std::string text) {
  report_violation({label_, slot_, rule, text});
  if (is_broken_) return;
  is_broken_ = true;
  text_ = std::move(text);
}

void CallChecks::enter(const void* handle) {
  if (handle == nullptr) {
    // Enders take NULL; so do slots with an optional handle, which the plugin checks itself.
    return;
  }
  const std::lock_guard lock(handles_mutex);
  const auto found = handles().find(handle);
  if (found == handles().end()) {
    broke("handle", "The handle was never made by this pack, or was ended before.");
    return;
  }
  if (word_ != Word::kSerial) {
    if (role_ == Role::kEnds) handles().erase(found);
    return;
  }
  Handle& state = found->second;
  if (state.depth > 0 && state.thread != std::this_thread::get_id()) {
    broke("serial", "Two threads are in [serial] calls on one handle at once.");
    return;
  }
  if (role_ == Role::kEnds) {
    handles().erase(found);
    return;
  }
  state.thread = std::this_thread::get_id();
  ++state.depth;
  entered_.push_back(handle);
}

void CallChecks::leave() {
  if (entered_.empty()) return;
  const std::lock_guard lock(handles_mutex);
  for (const void* handle : entered_) {
    const auto found = handles().find(handle);
    if (found != handles().end()) --found->second.depth;
  }
  entered_.clear();
}

void CallChecks::made(const void* handle) {
  if (handle == nullptr) {
    broke("handle", "The call answered OK and gave no handle.");
    return;
  }
  const std::lock_guard lock(handles_mutex);
  if (!handles().try_emplace(handle, Handle{label_, {}, 0}).second) {
    broke("handle", "The call gave a handle that is in use already.");
  }
}

void CallChecks::check_given(ArrowArray* array) {
  if (array->release == nullptr) return broke("release", "The call gave a released ArrowArray.");
  watch(array, label_, slot_);
}

void CallChecks::check_given(ArrowSchema* schema) {
  if (schema->release == nullptr) return broke("release", "The call gave a released ArrowSchema.");
  watch(schema, label_, slot_);
}

void CallChecks::check_given(ArrowArrayStream* stream) {
  const bool is_whole = stream->release != nullptr && stream->get_next != nullptr &&
                        stream->get_schema != nullptr && stream->get_last_error != nullptr;
  // Not watched: cursor and stream_error are given the plugin's own struct back.
  if (!is_whole) broke("release", "The call gave an ArrowArrayStream that lacks a function.");
}

void CallChecks::check_error(mortise_error* error) {
  const ErrorBox* box = ErrorBox::from(error);
  if (box != nullptr && box->is_misused()) {
    broke("error_thread", "Two threads wrote into the error object at once.");
  }
}

void CallChecks::check_reserved(const void* bytes, size_t size) {
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (size_t i = 0; i < size; ++i) {
    if (at[i] != 0) return broke("reserved", "Reserved bytes of the answer are not zero.");
  }
}

void CallChecks::after_all(mortise_status status) {
  if (status < MORTISE_STATUS_OK || status > MORTISE_STATUS_UNAUTHENTICATED) {
    broke("status", "The call answered the unknown code " + std::to_string(status) + ".");
  }
  for (const Borrowed& borrowed : borrowed_) {
    if (std::memcmp(borrowed.place, borrowed.copy.data(), borrowed.copy.size()) != 0) {
      broke("borrowed", "The call released or changed an Arrow struct that it had only borrowed.");
    }
  }
}

}  // namespace mortise::plugin
