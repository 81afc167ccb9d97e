// mortise/cpp/files.hpp: files through mortise.files/1, closed or discarded by the destructor.
//
// Used by formats and tokenizers. A name is relative to what the host granted; where it lies, and
// whether it is sealed, is not known here. Every function throws Failure as the host reports.
#ifndef MORTISE_CPP_FILES_HPP
#define MORTISE_CPP_FILES_HPP

#include <mortise/cpp/services.hpp>

#include <vector>

namespace mortise::sdk {

inline const mortise_files_service& files_service() {
  const mortise_files_service* files = host().files;
  if (files == nullptr) {
    throw Failure(MORTISE_STATUS_FAILED_PRECONDITION, "The host has no mortise.files/1.")
        .with_hint("Name mortise.files/1 in needs_services of pack.json.");
  }
  return *files;
}

class File {
 public:
  // Opens an existing file. Throws NOT_FOUND, INVALID_ARGUMENT for a name that leaves its root.
  static File open(std::string_view name) { return File(name, MORTISE_FILE_READ); }
  // Begins a new file, visible under its name after close(). Throws ALREADY_EXISTS.
  static File create(std::string_view name) { return File(name, MORTISE_FILE_WRITE_NEW); }

  File(File&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {
    name_ = std::move(other.name_);
  }
  File& operator=(File&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(name_, other.name_);
    return *this;
  }
  ~File() { discard(); }

  const std::string& name() const { return name_; }

  uint64_t size_bytes() const {
    ErrorCollector error;
    uint64_t size = 0;
    error.check(files_service().size(file_, &size, error.raw()), "size of " + name_);
    return size;
  }

  // Reads at most size_bytes at offset; fewer only at the end of the file. [parallel]
  uint64_t read_at(uint64_t offset, void* buffer, uint64_t size_bytes) const {
    ErrorCollector error;
    uint64_t read = 0;
    const mortise_status status =
        files_service().read_at(file_, offset, buffer, size_bytes, &read, error.raw());
    error.check(status, "read of " + name_);
    if (read > size_bytes) throw internal_fault("The host read more than the buffer holds.");
    return read;
  }

  // The whole file. Throws RESOURCE_EXHAUSTED when it is larger than limit_bytes.
  std::string read_all(uint64_t limit_bytes) const {
    const uint64_t size = size_bytes();
    if (size > limit_bytes) {
      throw resource_exhausted(name_ + " has " + std::to_string(size) + " bytes; the limit is " +
                               std::to_string(limit_bytes) + ".")
          .at(name_);
    }
    std::string content(size, '\0');
    content.resize(read_at(0, content.data(), size));
    return content;
  }

  // Appends to a new file. [serial]
  void write(std::string_view data) {
    ErrorCollector error;
    error.check(files_service().write(file_, data.data(), data.size(), error.raw()),
                "write to " + name_);
  }

  // Ends the file; a new one becomes durable and visible.
  void close() {
    ErrorCollector error;
    error.check(files_service().close(std::exchange(file_, nullptr), error.raw()),
                "close of " + name_);
  }

  // Ends the file; a new one leaves no trace.
  void discard() noexcept {
    if (file_ != nullptr) host().files->discard(std::exchange(file_, nullptr));
  }

 private:
  File(std::string_view name, int32_t mode) : name_(name) {
    ErrorCollector error;
    error.check(files_service().open(host().host, text(name), mode, &file_, error.raw()),
                "open of " + name_);
  }

  mortise_file* file_ = nullptr;
  std::string name_;
};

// Names below a folder, sorted, folders with a trailing "/".
inline std::vector<std::string> list_files(std::string_view folder) {
  std::vector<std::string> names;
  ErrorCollector error;
  const auto add = [](void* user, mortise_text name) -> mortise_status {
    return guarded(nullptr,
                   [&] { static_cast<std::vector<std::string>*>(user)->emplace_back(view(name)); });
  };
  error.check(files_service().list(host().host, text(folder), add, &names, error.raw()),
              "listing of " + std::string(folder));
  return names;
}

}  // namespace mortise::sdk

#endif
