// mortise/cpp/format_stream.hpp: a FormatStream as an ArrowArrayStream that keeps its error.
//
// The lower half of format_table.hpp, which is its only caller. Cuts batches to the projection.
#ifndef MORTISE_CPP_FORMAT_STREAM_HPP
#define MORTISE_CPP_FORMAT_STREAM_HPP

#include <mortise/cpp/format.hpp>

#include <cerrno>
#include <optional>

namespace mortise::sdk::detail {

// What an ArrowArrayStream of ours owns.
struct StreamState {
  std::unique_ptr<FormatStream> stream;
  Schema schema;                  // projected
  std::vector<int64_t> selected;  // columns to keep; empty: all
  std::optional<Failure> failure;
  bool is_done = false;
};

inline int errno_of(mortise_status status) {
  switch (status) {
    case MORTISE_STATUS_CANCELLED:
      return ECANCELED;
    case MORTISE_STATUS_RESOURCE_EXHAUSTED:
      return ENOMEM;
    case MORTISE_STATUS_NOT_FOUND:
      return ENOENT;
    case MORTISE_STATUS_UNIMPLEMENTED:
      return ENOSYS;
    case MORTISE_STATUS_INVALID_ARGUMENT:
      return EINVAL;
    default:
      return EIO;
  }
}

// Keeps the chosen columns of a struct array and releases the others.
inline Array project(Array batch, const std::vector<int64_t>& selected) {
  const ArrowArray& raw = *batch.get();
  if (raw.offset != 0) throw internal_fault("A batch to project must begin at row 0.");
  std::vector<Array> columns;
  for (const int64_t index : selected) columns.emplace_back(raw.children[index]);
  return struct_array(raw.length, std::move(columns));
}

inline void next_batch(StreamState* state, ArrowArray* out) {
  *out = ArrowArray{};
  if (state->failure) throw Failure(*state->failure);
  Array batch;
  if (state->is_done || !state->stream->next(&batch)) {
    state->is_done = true;
    return;
  }
  if (!state->selected.empty()) batch = project(std::move(batch), state->selected);
  batch.move_to(out);
}

// Collects into an error object what a body throws, so that it can be kept.
template <class Body>
int keep_failure(StreamState* state, Body&& body) noexcept {
  ErrorCollector error;
  const mortise_status status = guarded(error.raw(), body);
  if (status == MORTISE_STATUS_OK) return 0;
  guarded(nullptr, [&] {
    try {
      error.check(status, "the stream");
    } catch (const Failure& failure) {
      state->failure = failure;
    }
  });
  return errno_of(status);
}

inline void release_stream(ArrowArrayStream* stream) {
  delete static_cast<StreamState*>(stream->private_data);
  stream->release = nullptr;
}

inline StreamState* state_of(ArrowArrayStream* stream) {
  if (stream == nullptr || stream->release != release_stream) {
    throw invalid_argument("The stream was released or is not one of this plugin.");
  }
  return static_cast<StreamState*>(stream->private_data);
}

// Gives the stream away to *out.
inline void move_stream(std::unique_ptr<StreamState> state, ArrowArrayStream* out) {
  ArrowArrayStream raw{};
  raw.get_schema = [](ArrowArrayStream* stream, ArrowSchema* schema) {
    auto* self = static_cast<StreamState*>(stream->private_data);
    return keep_failure(self, [&] { copy_schema(*self->schema.get()).move_to(schema); });
  };
  raw.get_next = [](ArrowArrayStream* stream, ArrowArray* array) {
    auto* self = static_cast<StreamState*>(stream->private_data);
    return keep_failure(self, [&] { next_batch(self, array); });
  };
  raw.get_last_error = [](ArrowArrayStream* stream) -> const char* {
    const auto* self = static_cast<const StreamState*>(stream->private_data);
    return self->failure ? self->failure->message.c_str() : nullptr;
  };
  raw.release = release_stream;
  raw.private_data = state.release();
  *out = raw;
}

}  // namespace mortise::sdk::detail

#endif
