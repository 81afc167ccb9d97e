// A host small enough for tests of the border: services over memory, an error object, a sink.
//
// Used by tests/abi/cpp and tests/abi/packs, which call tables directly. Knows nothing of the real
// loader in host/plugin. One FakeHost may be in use at a time by a pack, since a pack keeps its
// hello.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "mortise/cpp/services.hpp"

namespace mortise::abi {

class FakeHost {
 public:
  FakeHost() {
    hello.magic = MORTISE_MAGIC;
    hello.struct_size = sizeof(hello);
    hello.generation = MORTISE_ABI_GENERATION;
    hello.host_minor = MORTISE_ABI_MINOR;
    hello.flags = MORTISE_HELLO_ALLOW_DRAFT;
    hello.pack_root = sdk::text("/nowhere");
    hello.host = reinterpret_cast<mortise_host*>(this);
    hello.get_service = [](mortise_host* host, mortise_text id) -> const void* {
      FakeHost* self = of(host);
      const auto found = self->services.find(std::string(sdk::view(id)));
      return found == self->services.end() ? nullptr : found->second;
    };
    fill_files();
    fill_others();
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  mortise_hello hello{};
  std::map<std::string, const void*> services;  // remove one to make it absent
  std::map<std::string, std::string> stored;    // files by name
  std::map<std::string, int> open_files;        // names of handles that are not ended
  bool is_cancelled = false;
  uint64_t budget_bytes = UINT64_MAX;
  int blocks_count = 0;  // memory not freed yet

 private:
  struct OpenFile {
    FakeHost* host;
    std::string name;
    std::string written;
    bool is_new;
  };

  static FakeHost* of(mortise_host* host) { return reinterpret_cast<FakeHost*>(host); }
  static OpenFile* of(mortise_file* file) { return reinterpret_cast<OpenFile*>(file); }
  static mortise_status fail(mortise_error* error, mortise_status code, const std::string& words) {
    error->set(error, code, sdk::text(words));
    return code;
  }
  static void end(OpenFile* file) {
    file->host->open_files[file->name] -= 1;
    delete file;
  }

  void fill_files() {
    files_.struct_size = sizeof(files_);
    files_.open = [](mortise_host* host, mortise_text name, int32_t mode, mortise_file** out,
                     mortise_error* error) -> mortise_status {
      const std::string key(sdk::view(name));
      const bool is_new = mode == MORTISE_FILE_WRITE_NEW;
      if (!is_new && of(host)->stored.count(key) == 0) {
        return fail(error, MORTISE_STATUS_NOT_FOUND, key + " is not there.");
      }
      if (is_new && of(host)->stored.count(key) != 0) {
        return fail(error, MORTISE_STATUS_ALREADY_EXISTS, key + " is there already.");
      }
      of(host)->open_files[key] += 1;
      *out = reinterpret_cast<mortise_file*>(new OpenFile{of(host), key, "", is_new});
      return MORTISE_STATUS_OK;
    };
    files_.size = [](mortise_file* file, uint64_t* out, mortise_error*) -> mortise_status {
      *out = of(file)->host->stored[of(file)->name].size();
      return MORTISE_STATUS_OK;
    };
    files_.read_at = [](mortise_file* file, uint64_t offset, void* buffer, uint64_t size,
                        uint64_t* out_read, mortise_error*) -> mortise_status {
      const std::string& content = of(file)->host->stored[of(file)->name];
      *out_read = offset >= content.size() ? 0 : std::min<uint64_t>(size, content.size() - offset);
      std::memcpy(buffer, content.data() + offset, *out_read);
      return MORTISE_STATUS_OK;
    };
    files_.write = [](mortise_file* file, const void* data, uint64_t size,
                      mortise_error*) -> mortise_status {
      of(file)->written.append(static_cast<const char*>(data), size);
      return MORTISE_STATUS_OK;
    };
    files_.close = [](mortise_file* file, mortise_error*) -> mortise_status {
      if (of(file)->is_new) of(file)->host->stored[of(file)->name] = of(file)->written;
      end(of(file));
      return MORTISE_STATUS_OK;
    };
    files_.discard = [](mortise_file* file) {
      if (file != nullptr) end(of(file));
    };
    services[MORTISE_SERVICE_FILES] = &files_;
  }

  void fill_others() {
    memory_.struct_size = sizeof(memory_);
    memory_.allocate = [](mortise_host* host, uint64_t size, uint64_t, mortise_text) -> void* {
      if (size > of(host)->budget_bytes) return nullptr;
      of(host)->blocks_count += 1;
      return std::malloc(size + 1);
    };
    memory_.free = [](mortise_host* host, void* pointer) {
      of(host)->blocks_count -= pointer == nullptr ? 0 : 1;
      std::free(pointer);
    };
    services[MORTISE_SERVICE_MEMORY] = &memory_;
    progress_.struct_size = sizeof(progress_);
    progress_.is_cancelled = [](mortise_host* host) -> int32_t { return of(host)->is_cancelled; };
    services[MORTISE_SERVICE_PROGRESS] = &progress_;
  }

  mortise_files_service files_{};
  mortise_memory_service memory_{};
  mortise_progress_service progress_{};
};

// One pack, loaded as the host does (RTLD_NOW | RTLD_LOCAL, never unloaded), and its reply.
class LoadedPack {
 public:
  LoadedPack(const std::string& library, const FakeHost& host) {
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(handle, nullptr) << dlerror();
    if (handle == nullptr) return;
    entry = reinterpret_cast<decltype(&mortise_entry_1)>(dlsym(handle, "mortise_entry_1"));
    reply.magic = MORTISE_MAGIC;
    reply.struct_size = sizeof(reply);
    status = entry(&host.hello, &reply);
  }
  template <class Table>
  const Table* table(const char* id) const {
    return static_cast<const Table*>(reply.get_interface(sdk::text(id)));
  }

  decltype(&mortise_entry_1) entry = nullptr;
  mortise_hello_reply reply{};
  mortise_status status = MORTISE_STATUS_INTERNAL;
};

// Runs a call that takes an error object; returns what the call reported, code OK when nothing.
template <class Call>
sdk::Failure reported(Call&& call) {
  sdk::ErrorCollector error;
  const mortise_status status = call(error.raw());
  try {
    error.check(status, "the call");
  } catch (const sdk::Failure& failure) {
    return failure;
  }
  return sdk::Failure(MORTISE_STATUS_OK, "");
}

}  // namespace mortise::abi
