// A pack as a host sees it: loaded, greeted, with files in memory. For the tests of the built-in
// packs; the real host is host/plugin.
#pragma once

#include <dlfcn.h>
#include <mortise/cpp/files.hpp>
#include <mortise/cpp/services.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

namespace mortise::packs_test {

// Files by name; a new one appears with close.
class MemoryFiles {
 public:
  std::map<std::string, std::string> content;

  const mortise_files_service* service() {
    static const mortise_files_service table = [] {
      mortise_files_service t{};
      t.struct_size = sizeof(t);
      t.open = open;
      t.size = [](mortise_file* file, uint64_t* out, mortise_error*) -> mortise_status {
        *out = self(file)->data.size();
        return MORTISE_STATUS_OK;
      };
      t.read_at = read_at;
      t.write = [](mortise_file* file, const void* data, uint64_t size,
                   mortise_error*) -> mortise_status {
        self(file)->data.append(static_cast<const char*>(data), size);
        return MORTISE_STATUS_OK;
      };
      t.close = [](mortise_file* file, mortise_error*) -> mortise_status {
        File* one = self(file);
        if (one->is_new) one->owner->content[one->name] = one->data;
        delete one;
        return MORTISE_STATUS_OK;
      };
      t.discard = [](mortise_file* file) { delete self(file); };
      t.list = list;
      return t;
    }();
    return &table;
  }

 private:
  struct File {
    MemoryFiles* owner;
    std::string name;
    std::string data;
    bool is_new;
  };
  static File* self(mortise_file* file) { return reinterpret_cast<File*>(file); }

  static mortise_status open(mortise_host* host, mortise_text name, int32_t mode,
                             mortise_file** out, mortise_error* error) {
    auto* owner = reinterpret_cast<MemoryFiles*>(host);
    const std::string key(sdk::view(name));
    const auto found = owner->content.find(key);
    const bool is_new = mode == MORTISE_FILE_WRITE_NEW;
    if (is_new != (found == owner->content.end())) {
      const mortise_status code = is_new ? MORTISE_STATUS_ALREADY_EXISTS : MORTISE_STATUS_NOT_FOUND;
      return sdk::Failure(code, key + (is_new ? " exists." : " is not there.")).report(error);
    }
    *out = reinterpret_cast<mortise_file*>(
        new File{owner, key, is_new ? std::string() : found->second, is_new});
    return MORTISE_STATUS_OK;
  }

  static mortise_status list(mortise_host* host, mortise_text folder,
                             mortise_status (*sink_name)(void* user, mortise_text name), void* user,
                             mortise_error*) {
    std::string prefix(sdk::view(folder));
    if (!prefix.empty() && prefix.back() != '/') prefix += '/';
    std::set<std::string> names;
    for (const auto& [name, data] : reinterpret_cast<MemoryFiles*>(host)->content) {
      if (name.compare(0, prefix.size(), prefix) != 0) continue;
      const size_t slash = name.find('/', prefix.size());
      names.insert(
          name.substr(prefix.size(), slash == name.npos ? slash : slash + 1 - prefix.size()));
    }
    for (const std::string& name : names) sink_name(user, sdk::text(name));
    return MORTISE_STATUS_OK;
  }

  static mortise_status read_at(mortise_file* file, uint64_t offset, void* buffer, uint64_t size,
                                uint64_t* out_read, mortise_error*) {
    const std::string& data = self(file)->data;
    *out_read = offset >= data.size() ? 0 : std::min<uint64_t>(size, data.size() - offset);
    if (*out_read > 0) std::memcpy(buffer, data.data() + offset, *out_read);
    return MORTISE_STATUS_OK;
  }
};

class PackUnderTest {
 public:
  // path: the library; MORTISE_PACK_LIBRARY in these tests.
  explicit PackUnderTest(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never unloaded
    if (library == nullptr) throw std::runtime_error(dlerror());
    const auto entry =
        reinterpret_cast<decltype(&mortise_entry_1)>(dlsym(library, "mortise_entry_1"));
    mortise_hello hello{};
    hello.magic = MORTISE_MAGIC;
    hello.struct_size = sizeof(hello);
    hello.generation = MORTISE_ABI_GENERATION;
    hello.host = reinterpret_cast<mortise_host*>(&files);
    hello.get_service = [](mortise_host* host, mortise_text id) -> const void* {
      if (sdk::view(id) != MORTISE_SERVICE_FILES) return nullptr;
      return reinterpret_cast<MemoryFiles*>(host)->service();
    };
    reply_.magic = MORTISE_MAGIC;
    reply_.struct_size = sizeof(reply_);
    if (entry == nullptr || entry(&hello, &reply_) != MORTISE_STATUS_OK) {
      throw std::runtime_error("The pack refused the test's hello.");
    }
  }

  std::string plugin_id() const { return std::string(sdk::view(reply_.plugin_id)); }

  // Throws when the pack does not have it.
  template <class Table>
  const Table& get(const char* id) const {
    const void* table = reply_.get_interface(sdk::text(id));
    if (table == nullptr) throw std::runtime_error(std::string("The pack has no ") + id);
    return *static_cast<const Table*>(table);
  }

  MemoryFiles files;

 private:
  mortise_hello_reply reply_{};
};

// The failure of a call: code, message and place; code OK when it succeeded.
template <class Call>
sdk::Failure failure_of(Call&& call) {
  sdk::ErrorCollector error;
  try {
    error.check(call(error.raw()), "the call");
  } catch (const sdk::Failure& failure) {
    return failure;
  }
  return sdk::Failure(MORTISE_STATUS_OK, "");
}

}  // namespace mortise::packs_test
