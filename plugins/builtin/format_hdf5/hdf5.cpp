// See hdf5.h. The driver implements the read half of H5FD_class_t; writing is done in memory.
#include "hdf5.h"

#include <mortise/cpp/utf8.hpp>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace mortise::format_hdf5 {
namespace {

constexpr size_t kNamesMax = 10'000;

// --- The driver over mortise.files/1 -------------------------------------------------------------

struct HostFile {
  H5FD_t base;  // first: the library knows this part
  std::unique_ptr<sdk::File> file;
  haddr_t end = 0, eoa = 0;
};

HostFile* self(H5FD_t* file) {
  return reinterpret_cast<HostFile*>(file);
}
const HostFile* self(const H5FD_t* file) {
  return reinterpret_cast<const HostFile*>(file);
}

H5FD_t* driver_open(const char* name, unsigned flags, hid_t, haddr_t) {
  if ((flags & (H5F_ACC_RDWR | H5F_ACC_CREAT | H5F_ACC_TRUNC)) != 0) return nullptr;
  try {
    auto opened = std::make_unique<HostFile>();
    opened->file = std::make_unique<sdk::File>(sdk::File::open(name));
    opened->end = opened->file->size_bytes();
    return &opened.release()->base;
  } catch (const std::exception&) {
    return nullptr;
  }
}

herr_t driver_read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, size_t size, void* buffer) {
  try {
    const uint64_t read = self(file)->file->read_at(at, buffer, size);
    // Past the end HDF5 expects zeros.
    std::memset(static_cast<char*>(buffer) + read, 0, size - read);
    return at > self(file)->end ? -1 : 0;
  } catch (const std::exception&) {
    return -1;
  }
}

hid_t driver_id() {
  static H5FD_class_t table = [] {
    H5FD_class_t t{};
    t.name = "mortise_files";
    t.maxaddr = haddr_t{1} << 62;
    t.fc_degree = H5F_CLOSE_STRONG;
    t.open = driver_open;
    t.close = [](H5FD_t* file) -> herr_t {
      delete self(file);
      return 0;
    };
    t.cmp = [](const H5FD_t* a, const H5FD_t* b) { return a < b ? -1 : a > b ? 1 : 0; };
    t.query = [](const H5FD_t*, unsigned long* flags) -> herr_t {
      *flags = H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_METADATA;
      return 0;
    };
    t.get_eoa = [](const H5FD_t* file, H5FD_mem_t) { return self(file)->eoa; };
    t.set_eoa = [](H5FD_t* file, H5FD_mem_t, haddr_t at) -> herr_t {
      self(file)->eoa = at;
      return 0;
    };
    t.get_eof = [](const H5FD_t* file, H5FD_mem_t) { return self(file)->end; };
    t.read = driver_read;
    t.write = [](H5FD_t*, H5FD_mem_t, hid_t, haddr_t, size_t, const void*) -> herr_t { return -1; };
    const H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(map), std::end(map), t.fl_map);
    return t;
  }();
  static const hid_t id = H5FDregister(&table);
  return id;
}

// Memory for texts, bounded: a damaged length ends as an error of the read.
struct TextMemory {
  uint64_t left;
};
void* take_memory(size_t size, void* info) {
  auto* memory = static_cast<TextMemory*>(info);
  if (size > memory->left) return nullptr;
  memory->left -= size;
  return std::malloc(size);
}
void free_memory(void* bytes, void*) {
  std::free(bytes);
}

void check_filters(hid_t properties, const std::string& name) {
  const int count = H5Pget_nfilters(properties);
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    char words[64] = {};
    const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), &flags,
                                               &values, nullptr, sizeof(words), words, &config);
    if (filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE ||
        filter == H5Z_FILTER_FLETCHER32) {
      continue;
    }
    throw sdk::unimplemented("The data set \"" + name + "\" uses the filter " +
                             std::to_string(filter) + ", which is not read.")
        .with_hint("Write it with gzip, shuffle or no filter: h5repack -f GZIP=6.");
  }
}

void check_storage(const Dataset& dataset, const std::string& name, const Limits& limits) {
  const Handle properties(H5Dget_create_plist(dataset.handle.id()), H5Pclose,
                          "the description of " + name);
  const H5D_layout_t layout = H5Pget_layout(properties.id());
  if (layout == H5D_VIRTUAL) {
    throw sdk::unimplemented("The data set \"" + name + "\" is virtual: its data are elsewhere.")
        .with_hint("Copy the data into one file: h5repack.");
  }
  if (H5Pget_external_count(properties.id()) != 0) {
    throw sdk::unimplemented("The data set \"" + name + "\" keeps its data in another file.")
        .with_hint("Copy the data into one file: h5repack.");
  }
  if (layout != H5D_CHUNKED) return;
  hsize_t chunk[H5S_MAX_RANK] = {};
  const int rank = H5Pget_chunk(properties.id(), H5S_MAX_RANK, chunk);
  uint64_t bytes = dataset.type_bytes;
  for (int i = 0; i < rank; ++i) {
    if (chunk[i] == 0 || bytes > limits.chunk_bytes_max / chunk[i]) {
      throw sdk::resource_exhausted("The data set \"" + name + "\" has chunks above " +
                                    std::to_string(limits.chunk_bytes_max) + " bytes.");
    }
    bytes *= chunk[i];
  }
  check_filters(properties.id(), name);
}

}  // namespace

std::unique_lock<std::recursive_mutex> library_lock() {
  static std::recursive_mutex mutex;
  std::unique_lock<std::recursive_mutex> lock(mutex);
  static const bool is_ready = [] {
    // Before the first call of the library: no plugin is ever looked for.
    ::setenv("HDF5_PLUGIN_PRELOAD", "::", 1);
    H5dont_atexit();
    H5open();
    H5PLset_loading_state(0);
    return true;
  }();
  static_cast<void>(is_ready);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // of this thread
  return lock;
}

void fail(const std::string& words) {
  throw sdk::invalid_argument("The HDF5 file is damaged or is none: " + words + ".")
      .with_hint("Write or copy the file again.");
}

Handle::Handle(hid_t id, Close close, const std::string& what) : id_(id), close_(close) {
  if (id < 0) fail("cannot open " + what);
}

Handle open_file(const std::string& name) {
  static_cast<void>(sdk::File::open(name));  // its own error, such as NOT_FOUND
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "a property list");
  H5Pset_driver(access.id(), driver_id(), nullptr);
  H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG);
  return Handle(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "the file");
}

bool has_name(hid_t group, const char* name) {
  return H5Lexists(group, name, H5P_DEFAULT) > 0;
}

std::vector<std::string> names_in(hid_t group) {
  H5G_info_t info{};
  if (H5Gget_info(group, &info) < 0) fail("a group cannot be listed");
  if (info.nlinks > kNamesMax) throw sdk::unimplemented("A group has more than 10000 names.");
  std::vector<std::string> names;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    H5L_info_t link{};
    char name[1024];
    const ssize_t size = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name,
                                            sizeof(name), H5P_DEFAULT);
    if (size < 0 || size >= static_cast<ssize_t>(sizeof(name)) ||
        H5Lget_info(group, name, &link, H5P_DEFAULT) < 0) {
      fail("a name of a group cannot be read");
    }
    if (link.type != H5L_TYPE_HARD) {
      throw sdk::unimplemented("\"" + std::string(name) + "\" is a link to another place.")
          .with_hint("Copy what it points at into the file.");
    }
    names.emplace_back(name);
  }
  return names;
}

Dataset open_dataset(hid_t group, const std::string& name, const Limits& limits) {
  // The link is judged before it is followed.
  H5L_info_t link{};
  if (H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT) < 0) fail("there is no " + name);
  if (link.type != H5L_TYPE_HARD) {
    throw sdk::unimplemented("\"" + name + "\" is a link to another place.");
  }
  Dataset dataset;
  dataset.handle = Handle(H5Dopen2(group, name.c_str(), H5P_DEFAULT), H5Dclose, name);
  dataset.type = Handle(H5Dget_type(dataset.handle.id()), H5Tclose, "the type of " + name);
  dataset.type_class = H5Tget_class(dataset.type.id());
  dataset.type_bytes = H5Tget_size(dataset.type.id());
  dataset.is_text = dataset.type_class == H5T_STRING;
  const Handle space(H5Dget_space(dataset.handle.id()), H5Sclose, "the shape of " + name);
  const int rank = H5Sget_simple_extent_ndims(space.id());
  if (rank < 1 || rank > H5S_MAX_RANK) fail("\"" + name + "\" has no rows");
  dataset.shape.resize(static_cast<size_t>(rank));
  H5Sget_simple_extent_dims(space.id(), dataset.shape.data(), nullptr);
  check_storage(dataset, name, limits);
  return dataset;
}

void read_rows(const Dataset& dataset, hid_t type, uint64_t begin, uint64_t count, void* out,
               const std::string& name) {
  if (begin > dataset.shape[0] || count > dataset.shape[0] - begin) {
    fail("\"" + name + "\" has too few rows");
  }
  const Handle space(H5Dget_space(dataset.handle.id()), H5Sclose, "the shape of " + name);
  std::vector<hsize_t> start(dataset.shape.size(), 0), part = dataset.shape;
  start[0] = begin;
  part[0] = count;
  const Handle memory(H5Screate_simple(static_cast<int>(part.size()), part.data(), nullptr),
                      H5Sclose, "a shape");
  if (H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, part.data(), nullptr) <
          0 ||
      H5Dread(dataset.handle.id(), type, memory.id(), space.id(), H5P_DEFAULT, out) < 0) {
    fail("\"" + name + "\" cannot be read at row " + std::to_string(begin + 1));
  }
}

std::string read_text(const Dataset& dataset, uint64_t row, const Limits& limits,
                      const std::string& name) {
  if (!dataset.is_text || dataset.shape.size() != 1) fail("\"" + name + "\" is no list of texts");
  std::string text;
  if (H5Tis_variable_str(dataset.type.id()) > 0) {
    const Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose, "a property list");
    TextMemory memory{limits.text_bytes_max};
    H5Pset_vlen_mem_manager(transfer.id(), take_memory, &memory, free_memory, nullptr);
    const Handle space(H5Dget_space(dataset.handle.id()), H5Sclose, "the shape of " + name);
    const hsize_t start = row, one = 1;
    const Handle target(H5Screate_simple(1, &one, nullptr), H5Sclose, "a shape");
    char* found = nullptr;
    if (row >= dataset.shape[0] ||
        H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, &start, nullptr, &one, nullptr) < 0 ||
        H5Dread(dataset.handle.id(), dataset.type.id(), target.id(), space.id(), transfer.id(),
                &found) < 0) {
      std::free(found);
      fail("\"" + name + "\" cannot be read at row " + std::to_string(row + 1));
    }
    if (found != nullptr) text = found;
    std::free(found);
  } else {
    if (dataset.type_bytes > limits.text_bytes_max) fail("\"" + name + "\" has texts too long");
    text.resize(dataset.type_bytes);
    read_rows(dataset, dataset.type.id(), row, 1, text.data(), name);
    text.resize(std::strlen(text.c_str()));
  }
  if (sdk::find_invalid_utf8(text) >= 0) {
    throw sdk::invalid_argument("A text of \"" + name + "\" is not UTF-8.");
  }
  return text;
}

}  // namespace mortise::format_hdf5
