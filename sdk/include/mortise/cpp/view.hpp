// mortise/cpp/view.hpp: C++ faces of mortise_text, mortise_bytes, mortise_sink and the size rule.
//
// Used by the kind templates and by plugins that fill a C table by hand. Knows no interface.
#ifndef MORTISE_CPP_VIEW_HPP
#define MORTISE_CPP_VIEW_HPP

#include <mortise/view.h>
#include <mortise/cpp/status.hpp>

#include <algorithm>
#include <cstring>

namespace mortise::sdk {

inline std::string_view view(mortise_text text) {
  return text.size_bytes == 0 ? std::string_view() : std::string_view(text.data, text.size_bytes);
}
inline std::string_view view(mortise_bytes bytes) {
  if (bytes.size_bytes == 0) return {};
  return {reinterpret_cast<const char*>(bytes.data), bytes.size_bytes};
}
inline mortise_bytes bytes(std::string_view view) {
  return {reinterpret_cast<const uint8_t*>(view.data()), view.size()};
}

// Writes to the caller's sink; throws the sink's own code when it refuses. sink may be NULL: then
// nothing is written.
inline void write_sink(mortise_sink* sink, const void* data, uint64_t size_bytes) {
  if (sink == nullptr || size_bytes == 0) return;
  const int32_t status = sink->write(sink, data, size_bytes);
  if (status != MORTISE_STATUS_OK) {
    throw Failure(status, "The host took no more bytes of this result: its limit is reached.");
  }
}
inline void write_sink(mortise_sink* sink, std::string_view view) {
  write_sink(sink, view.data(), view.size());
}

// A sink that keeps what is written, up to limit_bytes; for calls of services and for tests.
class StringSink {
 public:
  explicit StringSink(uint64_t limit_bytes = uint64_t{64} << 20) : limit_bytes_(limit_bytes) {
    sink_.struct_size = sizeof(sink_);
    sink_.user = this;
    sink_.write = [](mortise_sink* sink, const void* data, uint64_t size_bytes) -> int32_t {
      auto* self = static_cast<StringSink*>(sink->user);
      if (size_bytes > self->limit_bytes_ - self->value_.size()) {
        return MORTISE_STATUS_RESOURCE_EXHAUSTED;
      }
      return guarded(nullptr,
                     [&] { self->value_.append(static_cast<const char*>(data), size_bytes); });
    };
  }
  StringSink(const StringSink&) = delete;
  StringSink& operator=(const StringSink&) = delete;

  mortise_sink* raw() { return &sink_; }
  const std::string& value() const { return value_; }

 private:
  mortise_sink sink_{};
  uint64_t limit_bytes_;
  std::string value_;
};

// A full-size copy of an argument struct: what the caller's smaller one does not have is zero, what
// a larger one adds is left out. NULL gives all zero. Rule L2.
template <class Struct>
Struct read_struct(const Struct* from) {
  Struct copy{};
  if (from != nullptr) {
    std::memcpy(&copy, from, std::min<size_t>(from->struct_size, sizeof(Struct)));
    copy.struct_size = sizeof(Struct);
  }
  return copy;
}

// Fills an output struct as far as the caller has room (out->struct_size on entry) and says how
// far.
template <class Struct>
void write_struct(Struct* out, Struct value) {
  const auto size = static_cast<uint32_t>(std::min<size_t>(out->struct_size, sizeof(Struct)));
  value.struct_size = size;
  std::memcpy(out, &value, size);
}

// Throws INVALID_ARGUMENT when flags holds a bit that this plugin does not know. Rule L4.
inline void check_flags(uint32_t flags, uint32_t known, std::string_view what) {
  if ((flags & ~known) != 0) {
    throw invalid_argument(std::string(what) + ": flags holds bits " +
                           std::to_string(flags & ~known) + " that this plugin does not know.");
  }
}

// Throws INVALID_ARGUMENT unless every reserved element is zero. Rule L4.
template <class Number, size_t kCount>
void check_reserved(const Number (&reserved)[kCount], std::string_view what) {
  for (const Number value : reserved) {
    if (value != 0) throw invalid_argument(std::string(what) + ": a reserved field is not zero.");
  }
}

}  // namespace mortise::sdk

#endif
