// Arrays out of JSON values. See arrow_rows.h.
#include <cstring>
#include <limits>
#include <memory>

#include "base/crypto.h"
#include "plugin/arrow_rows.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

// What a made array points into.
struct ArrayStorage {
  std::vector<std::string> buffers;
  std::vector<const void*> pointers;
  std::vector<std::unique_ptr<ArrowArray>> children;
  std::vector<ArrowArray*> child_pointers;
};

void release_array(ArrowArray* array) {
  auto* storage = static_cast<ArrayStorage*>(array->private_data);
  for (auto& child : storage->children) {
    if (child->release != nullptr) child->release(child.get());
  }
  delete storage;
  array->release = nullptr;
}

// The array over finished buffers. A validity buffer that is empty becomes NULL: no nulls.
void finish(std::unique_ptr<ArrayStorage> storage, size_t length, int64_t nulls, ArrowArray& out) {
  for (size_t i = 0; i < storage->buffers.size(); ++i) {
    const std::string& buffer = storage->buffers[i];
    storage->pointers.push_back(i == 0 && nulls == 0 ? nullptr : buffer.data());
  }
  for (auto& child : storage->children) storage->child_pointers.push_back(child.get());
  out.length = static_cast<int64_t>(length);
  out.null_count = nulls;
  out.offset = 0;
  out.n_buffers = static_cast<int64_t>(storage->pointers.size());
  out.n_children = static_cast<int64_t>(storage->child_pointers.size());
  out.buffers = storage->pointers.data();
  out.children = storage->child_pointers.data();
  out.dictionary = nullptr;
  out.release = &release_array;
  out.private_data = storage.release();
}

template <class T>
void put(std::string& buffer, T value) {
  buffer.append(reinterpret_cast<const char*>(&value), sizeof value);
}

using Values = std::vector<const Json*>;  // nullptr and JSON null are both null

bool is_null(const Json* value) {
  return value == nullptr || value->is_null();
}

class Maker {
 public:
  Status make(const Column& column, const Values& values, const std::string& path,
              ArrowArray& out) {
    auto storage = std::make_unique<ArrayStorage>();
    const int64_t nulls = make_validity(values, storage->buffers.emplace_back());
    if (nulls > 0 && !column.is_nullable) return refuse_null(values, path);
    const std::string& format = column.format;
    if (format == "+s") {
      MORTISE_TRY(make_members(column, values, path, *storage));
    } else if (format == "+l" || format == "+L") {
      MORTISE_TRY(make_items(column, values, path, *storage));
    } else if (format == "u" || format == "U" || format == "z" || format == "Z") {
      MORTISE_TRY(make_bytes(format, values, path, *storage));
    } else if (format == "b") {
      MORTISE_TRY(make_bools(values, path, storage->buffers.emplace_back()));
    } else {
      MORTISE_TRY(make_numbers(format, values, path, storage->buffers.emplace_back()));
    }
    finish(std::move(storage), values.size(), nulls, out);
    return {};
  }

 private:
  static Error refuse(size_t index, const std::string& path, std::string text) {
    const auto row = static_cast<int64_t>(index) + 1;
    return Error(Code::kInvalidArgument,
                 "Row " + std::to_string(row) + ", column \"" + path + "\": " + std::move(text))
        .at_row(row)
        .at_field(path);
  }

  static Error refuse_null(const Values& values, const std::string& path) {
    size_t index = 0;
    while (index < values.size() && !is_null(values[index])) ++index;
    return refuse(index, path, "the value is missing and may not be.");
  }

  static int64_t make_validity(const Values& values, std::string& bits) {
    int64_t nulls = 0;
    bits.assign((values.size() + 7) / 8, '\0');
    for (size_t i = 0; i < values.size(); ++i) {
      if (is_null(values[i])) {
        ++nulls;
      } else {
        bits[i / 8] = static_cast<char>(bits[i / 8] | (1 << (i % 8)));
      }
    }
    return nulls;
  }

  Status make_members(const Column& column, const Values& values, const std::string& path,
                      ArrayStorage& storage) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (!is_null(values[i]) && !values[i]->is_object()) {
        return refuse(i, path,
                      std::string("expected an object, found ") + values[i]->kind_name() + ".");
      }
    }
    for (const Column& child : column.children) {
      Values members;
      members.reserve(values.size());
      for (const Json* value : values) {
        members.push_back(is_null(value) ? nullptr : value->find(child.name));
      }
      storage.children.push_back(std::make_unique<ArrowArray>());
      const std::string inside = path.empty() ? child.name : path + "." + child.name;
      Status made = make(child, members, inside, *storage.children.back());
      if (!made.ok()) return drop_children(storage, std::move(made));
    }
    return {};
  }

  Status make_items(const Column& column, const Values& values, const std::string& path,
                    ArrayStorage& storage) {
    std::string& offsets = storage.buffers.emplace_back();
    const bool is_wide = column.format == "+L";
    Values items;
    const auto put_offset = [&] {
      is_wide ? put(offsets, static_cast<int64_t>(items.size()))
              : put(offsets, static_cast<int32_t>(items.size()));
    };
    put_offset();
    for (size_t i = 0; i < values.size(); ++i) {
      if (!is_null(values[i])) {
        if (!values[i]->is_array()) {
          return refuse(i, path,
                        std::string("expected a list, found ") + values[i]->kind_name() + ".");
        }
        for (const Json& item : values[i]->items()) items.push_back(&item);
      }
      if (!is_wide && items.size() > static_cast<size_t>(INT32_MAX)) {
        return refuse(i, path, "the lists of one batch have more than 2^31 items.");
      }
      put_offset();
    }
    storage.children.push_back(std::make_unique<ArrowArray>());
    Status made = make(column.children[0], items, path + "[]", *storage.children.back());
    return made.ok() ? std::move(made) : drop_children(storage, std::move(made));
  }

  static Status drop_children(ArrayStorage& storage, Status why) {
    for (auto& child : storage.children) {
      if (child->release != nullptr) child->release(child.get());
    }
    return why;
  }

  static Status make_bytes(const std::string& format, const Values& values, const std::string& path,
                           ArrayStorage& storage) {
    const bool is_wide = format == "U" || format == "Z";
    const bool is_text = format == "u" || format == "U";
    std::string offsets, data;
    const auto put_offset = [&] {
      is_wide ? put(offsets, static_cast<int64_t>(data.size()))
              : put(offsets, static_cast<int32_t>(data.size()));
    };
    put_offset();
    for (size_t i = 0; i < values.size(); ++i) {
      if (!is_null(values[i])) {
        if (!values[i]->is_string()) {
          return refuse(i, path,
                        std::string("expected text, found ") + values[i]->kind_name() + ".");
        }
        const std::string& text = values[i]->as_string();
        if (is_text) {
          data += text;
        } else {
          auto bytes = base::from_base64(text);
          if (!bytes.ok()) return refuse(i, path, "expected base64 text.");
          data += base::as_text(*bytes);
        }
      }
      if (!is_wide && data.size() > static_cast<size_t>(INT32_MAX)) {
        return refuse(i, path, "the texts of one batch have more than 2 GiB.");
      }
      put_offset();
    }
    storage.buffers.push_back(std::move(offsets));
    storage.buffers.push_back(std::move(data));
    return {};
  }

  static Status make_bools(const Values& values, const std::string& path, std::string& bits) {
    bits.assign((values.size() + 7) / 8, '\0');
    for (size_t i = 0; i < values.size(); ++i) {
      if (is_null(values[i])) continue;
      if (!values[i]->is_bool()) {
        return refuse(i, path,
                      std::string("expected true or false, found ") + values[i]->kind_name() + ".");
      }
      if (values[i]->as_bool()) bits[i / 8] = static_cast<char>(bits[i / 8] | (1 << (i % 8)));
    }
    return {};
  }

  static Status make_numbers(const std::string& format, const Values& values,
                             const std::string& path, std::string& out) {
    switch (format.empty() ? '\0' : format[0]) {
      case 'c':
        return make_integers<int8_t>(values, path, out);
      case 'C':
        return make_integers<uint8_t>(values, path, out);
      case 's':
        return make_integers<int16_t>(values, path, out);
      case 'S':
        return make_integers<uint16_t>(values, path, out);
      case 'i':
        return make_integers<int32_t>(values, path, out);
      case 'I':
        return make_integers<uint32_t>(values, path, out);
      case 'l':
        return make_integers<int64_t>(values, path, out);
      case 'L':
        return make_integers<uint64_t>(values, path, out);
      case 'f':
        return make_reals<float>(values, path, out);
      case 'g':
        return make_reals<double>(values, path, out);
      default:
        return refuse(0, path, "the format \"" + format + "\" is not known.");
    }
  }

  template <class T>
  static Status make_integers(const Values& values, const std::string& path, std::string& out) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (is_null(values[i])) {
        put(out, T{});
        continue;
      }
      const Json& value = *values[i];
      const bool is_huge = value.kind() == Json::Kind::kUint;  // above INT64_MAX
      const bool fits = value.is_integer() && (is_huge ? std::in_range<T>(value.as_uint())
                                                       : std::in_range<T>(value.as_int()));
      if (!fits) {
        return refuse(i, path,
                      "expected an integer of " + std::to_string(8 * sizeof(T)) + " bits, found " +
                          value.dump().substr(0, 40) + ".");
      }
      put(out, is_huge ? static_cast<T>(value.as_uint()) : static_cast<T>(value.as_int()));
    }
    return {};
  }

  template <class T>
  static Status make_reals(const Values& values, const std::string& path, std::string& out) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (!is_null(values[i]) && !values[i]->is_number()) {
        return refuse(i, path,
                      std::string("expected a number, found ") + values[i]->kind_name() + ".");
      }
      put(out, is_null(values[i]) ? T{} : static_cast<T>(values[i]->as_double()));
    }
    return {};
  }
};

}  // namespace

Result<OwnedArray> make_rows(const Column& schema, std::span<const Json> rows) {
  Values values;
  values.reserve(rows.size());
  for (const Json& row : rows) values.push_back(&row);
  Column whole = schema;
  whole.is_nullable = false;
  OwnedArray array;
  MORTISE_TRY(Maker().make(whole, values, "", *array.out()));
  return array;
}

OwnedArray make_texts(std::span<const std::string> texts) {
  auto storage = std::make_unique<ArrayStorage>();
  storage->buffers.resize(3);
  put(storage->buffers[1], int32_t{0});
  for (const std::string& text : texts) {
    storage->buffers[2] += text;
    put(storage->buffers[1], static_cast<int32_t>(storage->buffers[2].size()));
  }
  OwnedArray array;
  finish(std::move(storage), texts.size(), 0, *array.out());
  return array;
}

OwnedArray make_id_lists(std::span<const std::vector<int32_t>> lists) {
  auto storage = std::make_unique<ArrayStorage>();
  auto inner = std::make_unique<ArrayStorage>();
  storage->buffers.resize(2);
  inner->buffers.resize(2);
  size_t count = 0;
  put(storage->buffers[1], int32_t{0});
  for (const std::vector<int32_t>& list : lists) {
    inner->buffers[1].append(reinterpret_cast<const char*>(list.data()),
                             list.size() * sizeof(int32_t));
    count += list.size();
    put(storage->buffers[1], static_cast<int32_t>(count));
  }
  storage->children.push_back(std::make_unique<ArrowArray>());
  finish(std::move(inner), count, 0, *storage->children.back());
  OwnedArray array;
  finish(std::move(storage), lists.size(), 0, *array.out());
  return array;
}

}  // namespace mortise::plugin
