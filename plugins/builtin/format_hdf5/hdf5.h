// The one door to libhdf5: handles that close themselves, a driver over the host's files, and the
// checks that come before any read.
//
// Called by hdf5_rows.cpp, arrays.cpp and writer.cpp. The library is not safe for several threads:
// hold library_lock() around every use. It loads no filter plugins and opens no file but through
// mortise.files/1.
#pragma once

#include <hdf5.h>
#include <mortise/cpp/files.hpp>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mortise::format_hdf5 {

// Taken by every entry of the pack; the first one makes the library quiet and shuts its loader.
std::unique_lock<std::recursive_mutex> library_lock();

class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  // Throws INVALID_ARGUMENT with `what` when id is none.
  Handle(hid_t id, Close close, const std::string& what);
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t id() const { return id_; }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

// Opens a file of the host for reading.
Handle open_file(const std::string& name);

// A data set whose description was checked.
struct Dataset {
  Handle handle;
  std::vector<hsize_t> shape;
  Handle type;
  H5T_class_t type_class = H5T_NO_CLASS;
  bool is_text = false;  // variable or fixed
  size_t type_bytes = 0;
};

struct Limits {
  uint64_t chunk_bytes_max = uint64_t{256} << 20;
  uint64_t text_bytes_max = uint64_t{64} << 20;  // of one text
};

// Names below a group, sorted. Throws UNIMPLEMENTED for a link that is soft or external, and for
// more than 10 000 names.
std::vector<std::string> names_in(hid_t group);
bool has_name(hid_t group, const char* name);

// Throws UNIMPLEMENTED for external storage, a virtual data set, a filter that is not deflate,
// shuffle or fletcher32; RESOURCE_EXHAUSTED for chunks above the limit.
Dataset open_dataset(hid_t group, const std::string& name, const Limits& limits);

// Rows [begin, begin + count) of the first dimension, as memory type `type`, into out.
void read_rows(const Dataset& dataset, hid_t type, uint64_t begin, uint64_t count, void* out,
               const std::string& name);
// One text of a data set of texts; checked to be UTF-8.
std::string read_text(const Dataset& dataset, uint64_t row, const Limits& limits,
                      const std::string& name);

[[noreturn]] void fail(const std::string& words);

}  // namespace mortise::format_hdf5
