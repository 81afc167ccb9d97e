// mortise/cpp/arrow_build.hpp: Arrow arrays made row by row; finish() gives an owner of the array.
//
// Used by tokenizers and formats. A builder is empty after finish() and can be used again. Not for
// several threads at once.
#ifndef MORTISE_CPP_ARROW_BUILD_HPP
#define MORTISE_CPP_ARROW_BUILD_HPP
#include <mortise/cpp/arrow.hpp>

namespace mortise::sdk {
namespace detail {

// What an array owns; freed by release_array. Buffers are kept in the vectors they were built in.
struct ArrayNode {
  std::vector<uint8_t> validity;
  std::shared_ptr<void> storage[2];  // owners of buffers[1] and buffers[2]; shared: any deleter
  const void* buffers[3] = {};
  std::vector<Array> children;
  std::vector<ArrowArray*> pointers;
};

inline void release_array(ArrowArray* array) {
  delete static_cast<ArrayNode*>(array->private_data);  // releases the children that are left
  array->release = nullptr;
}

// A pointer that is valid also for an empty vector: Arrow wants buffers that are not NULL.
template <class Number>
const void* keep(std::shared_ptr<void>* storage, std::vector<Number> values) {
  if (values.capacity() == 0) values.reserve(1);
  auto owner = std::make_shared<std::vector<Number>>(std::move(values));
  const void* data = owner->data();
  *storage = std::move(owner);
  return data;
}

inline Array make_array(std::unique_ptr<ArrayNode> node, int64_t length, int64_t null_count,
                        int64_t buffers_count) {
  for (Array& child : node->children) node->pointers.push_back(child.get());
  node->buffers[0] = null_count == 0 ? nullptr : node->validity.data();
  ArrowArray raw{};
  raw.length = length;
  raw.null_count = null_count;
  raw.n_buffers = buffers_count;
  raw.n_children = static_cast<int64_t>(node->pointers.size());
  raw.buffers = node->buffers;
  raw.children = node->pointers.empty() ? nullptr : node->pointers.data();
  raw.release = release_array;
  raw.private_data = node.release();
  return Array(&raw);
}

// The bits that say which rows are there.
class Validity {
 public:
  void append(bool is_valid) {
    if (length_ % 8 == 0) bits_.push_back(0);
    if (is_valid) bits_.back() = static_cast<uint8_t>(bits_.back() | (1U << (length_ % 8)));
    length_ += 1;
    null_count_ += is_valid ? 0 : 1;
  }
  void append_valid(size_t count) {
    for (; count > 0 && length_ % 8 != 0; --count) append(true);
    bits_.insert(bits_.end(), count / 8, uint8_t{0xFF});
    length_ += static_cast<int64_t>(count / 8 * 8);
    for (count %= 8; count > 0; --count) append(true);
  }
  int64_t length() const { return length_; }
  std::vector<uint8_t> take() { return std::exchange(*this, Validity()).bits_; }
  Array finish(std::unique_ptr<ArrayNode> node, int64_t buffers_count) {
    node->validity = std::move(bits_);
    const Validity done = std::exchange(*this, Validity());
    return make_array(std::move(node), done.length_, done.null_count_, buffers_count);
  }

 private:
  std::vector<uint8_t> bits_;
  int64_t length_ = 0;
  int64_t null_count_ = 0;
};

inline int32_t checked_offset(size_t size) {
  if (size > 0x7FFFFFFF) {
    throw resource_exhausted("One Arrow array would hold more than 2 GiB; make smaller batches.");
  }
  return static_cast<int32_t>(size);
}

}  // namespace detail

// utf8 ("u") or binary ("z"): the layout is the same, the schema says which.
class TextBuilder {
 public:
  // Throws RESOURCE_EXHAUSTED above 2 GiB.
  void append(std::string_view value) {
    const int32_t end = detail::checked_offset(data_.size() + value.size());
    data_.insert(data_.end(), value.begin(), value.end());
    offsets_.push_back(end);
    validity_.append(true);
  }
  void append_null() {
    offsets_.push_back(offsets_.back());
    validity_.append(false);
  }
  int64_t length() const { return validity_.length(); }
  uint64_t size_bytes() const { return data_.size(); }
  Array finish() {
    auto node = std::make_unique<detail::ArrayNode>();
    node->buffers[1] = detail::keep(&node->storage[0], std::exchange(offsets_, {0}));
    node->buffers[2] = detail::keep(&node->storage[1], std::exchange(data_, {}));
    return validity_.finish(std::move(node), 3);
  }

 private:
  std::vector<int32_t> offsets_{0};
  std::vector<char> data_;
  detail::Validity validity_;
};

// int32 "i", int64 "l", float "f", double "g" and the other fixed-width numbers.
template <class Number>
class NumberBuilder {
 public:
  void append(Number value) {
    values_.push_back(value);
    validity_.append(true);
  }
  void append_all(const Number* values, size_t count) {
    values_.insert(values_.end(), values, values + count);
    validity_.append_valid(count);
  }
  void append_null() {
    values_.push_back(Number{});
    validity_.append(false);
  }
  int64_t length() const { return validity_.length(); }
  Array finish() {
    auto node = std::make_unique<detail::ArrayNode>();
    node->buffers[1] = detail::keep(&node->storage[0], std::exchange(values_, {}));
    return validity_.finish(std::move(node), 2);
  }

 private:
  std::vector<Number> values_;
  detail::Validity validity_;
};

// bool "b", one bit a row.
class BoolBuilder {
 public:
  void append(bool value) {
    bits_.append(value);
    validity_.append(true);
  }
  void append_null() {
    bits_.append(false);
    validity_.append(false);
  }
  int64_t length() const { return validity_.length(); }
  Array finish() {
    auto node = std::make_unique<detail::ArrayNode>();
    node->buffers[1] = detail::keep(&node->storage[0], bits_.take());
    return validity_.finish(std::move(node), 2);
  }

 private:
  detail::Validity bits_;
  detail::Validity validity_;
};

// list "+l": append the items of a row to items(), then end_row().
template <class Items>
class ListBuilder {
 public:
  Items& items() { return items_; }
  void end_row() {
    offsets_.push_back(detail::checked_offset(static_cast<size_t>(items_.length())));
    validity_.append(true);
  }
  void append_null() {
    offsets_.push_back(offsets_.back());
    validity_.append(false);
  }
  int64_t length() const { return validity_.length(); }
  Array finish() {
    auto node = std::make_unique<detail::ArrayNode>();
    node->buffers[1] = detail::keep(&node->storage[0], std::exchange(offsets_, {0}));
    node->children.push_back(items_.finish());
    return validity_.finish(std::move(node), 2);
  }

 private:
  Items items_;
  std::vector<int32_t> offsets_{0};
  detail::Validity validity_;
};

// struct "+s" over finished columns, without nulls of its own: struct_array(2, make_vector(ids,
// words)). Throws INTERNAL when a length differs from `length`.
inline Array struct_array(int64_t length, std::vector<Array> columns) {
  auto node = std::make_unique<detail::ArrayNode>();
  node->children = std::move(columns);
  for (const Array& child : node->children) {
    if (child.get()->length != length) throw internal_fault("Columns differ in length.");
  }
  return detail::make_array(std::move(node), length, 0, 1);
}

}  // namespace mortise::sdk

#endif
