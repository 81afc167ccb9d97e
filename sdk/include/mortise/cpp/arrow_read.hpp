// mortise/cpp/arrow_read.hpp: checked views of borrowed Arrow arrays.
//
// Used by metrics, tokenizers and writers. A view checks buffers, counts, offsets and bounds when
// it is made, so that its accessors need not. It owns nothing and is valid as long as the array. An
// Arrow array does not say its own type: the caller knows it from the schema.
#ifndef MORTISE_CPP_ARROW_READ_HPP
#define MORTISE_CPP_ARROW_READ_HPP

#include <mortise/cpp/arrow.hpp>

namespace mortise::sdk {

// The rows [offset, offset + length) of an array, with what every layout has in common.
class ArrayView {
 public:
  // extra_offset and length choose a part, for children of a sliced struct; length -1 means all.
  // Throws INVALID_ARGUMENT naming what is wrong. what: a word for messages, such as the column.
  ArrayView(const ArrowArray* array, int64_t buffers_count, int64_t children_count,
            std::string_view what, int64_t extra_offset = 0, int64_t length = -1)
      : array_(array), what_(what) {
    require(array != nullptr && array->release != nullptr, "it is absent or was released");
    require(array->length >= 0 && array->offset >= 0, "length or offset is negative");
    require(array->n_buffers == buffers_count, "the number of buffers does not fit the type");
    require(array->n_children == children_count || children_count < 0,
            "the number of children does not fit the type");
    require(buffers_count == 0 || array->buffers != nullptr, "buffers is NULL");
    require(array->n_children == 0 || array->children != nullptr, "children is NULL");
    length_ = length < 0 ? array->length - extra_offset : length;
    require(extra_offset >= 0 && length_ >= 0 && extra_offset <= array->length &&
                length_ <= array->length - extra_offset,
            "it is shorter than its parent");
    offset_ = array->offset + extra_offset;
    require(array->null_count == 0 || buffers_count == 0 || array->buffers[0] != nullptr ||
                array->null_count == -1,
            "it counts nulls but has no validity buffer");
  }

  int64_t size() const { return length_; }
  bool is_null(int64_t row) const {
    if (array_->null_count == 0 || array_->n_buffers == 0 || array_->buffers[0] == nullptr) {
      return false;
    }
    return !bit(array_->buffers[0], row);
  }

 protected:
  void require(bool holds, std::string_view words) const {
    if (!holds) {
      throw invalid_argument("Arrow array \"" + std::string(what_) + "\": " + std::string(words) +
                             ".");
    }
  }
  bool bit(const void* bits, int64_t row) const {
    const int64_t at = offset_ + row;
    return (static_cast<const uint8_t*>(bits)[at / 8] >> (at % 8) & 1) != 0;
  }
  // Buffer `index`, which may be NULL only when there are no rows.
  template <class Number>
  const Number* buffer(int64_t index) const {
    const void* data = array_->buffers[index];
    require(data != nullptr || length_ == 0, "a buffer is NULL");
    return static_cast<const Number*>(data);
  }
  // Offsets of the rows, length + 1 of them, checked to rise. NULL only when there are no rows.
  const int32_t* checked_offsets() const {
    const auto* offsets = buffer<int32_t>(1);
    if (length_ == 0) return offsets;
    offsets += offset_;
    require(offsets[0] >= 0, "an offset is negative");
    for (int64_t i = 0; i < length_; ++i) {
      require(offsets[i] <= offsets[i + 1], "offsets fall");
    }
    return offsets;
  }

  const ArrowArray* array_;
  std::string_view what_;
  int64_t offset_ = 0;
  int64_t length_ = 0;
};

// utf8 "u" or binary "z". Whether text is UTF-8 is not checked here: see is_utf8.
class TextView : public ArrayView {
 public:
  explicit TextView(const ArrowArray* array, std::string_view what = "text",
                    int64_t extra_offset = 0, int64_t length = -1)
      : ArrayView(array, 3, 0, what, extra_offset, length), offsets_(checked_offsets()) {
    data_ = static_cast<const char*>(array->buffers[2]);
    require(data_ != nullptr || length_ == 0 || offsets_[length_] == 0, "the data buffer is NULL");
  }
  // Row 0 .. size()-1; a null row is "".
  std::string_view operator[](int64_t row) const {
    if (offsets_[row] == offsets_[row + 1] || is_null(row)) return {};
    return {data_ + offsets_[row], static_cast<size_t>(offsets_[row + 1] - offsets_[row])};
  }

 private:
  const int32_t* offsets_;
  const char* data_ = nullptr;
};

// Fixed-width numbers: int32_t "i", int64_t "l", float "f", double "g".
template <class Number>
class NumberView : public ArrayView {
 public:
  explicit NumberView(const ArrowArray* array, std::string_view what = "number",
                      int64_t extra_offset = 0, int64_t length = -1)
      : ArrayView(array, 2, 0, what, extra_offset, length), values_(buffer<Number>(1)) {}
  Number operator[](int64_t row) const { return values_[offset_ + row]; }
  // size() values, one after the other; NULL when there are none.
  const Number* data() const { return length_ == 0 ? nullptr : values_ + offset_; }

 private:
  const Number* values_;
};

// bool "b".
class BoolView : public ArrayView {
 public:
  explicit BoolView(const ArrowArray* array, std::string_view what = "bool",
                    int64_t extra_offset = 0, int64_t length = -1)
      : ArrayView(array, 2, 0, what, extra_offset, length), bits_(buffer<uint8_t>(1)) {}
  bool operator[](int64_t row) const { return bit(bits_, row); }

 private:
  const uint8_t* bits_;
};

// list "+l". The items of row r are items()[begin(r)] .. items()[end(r) - 1].
template <class Items>
class ListView : public ArrayView {
 public:
  explicit ListView(const ArrowArray* array, std::string_view what = "list",
                    int64_t extra_offset = 0, int64_t length = -1)
      : ArrayView(array, 2, 1, what, extra_offset, length),
        offsets_(checked_offsets()),
        items_(array->children[0], what) {
    require(length_ == 0 || offsets_[length_] <= items_.size(), "an offset is past the items");
  }
  int64_t begin(int64_t row) const { return is_null(row) ? 0 : offsets_[row]; }
  int64_t end(int64_t row) const { return is_null(row) ? 0 : offsets_[row + 1]; }
  const Items& items() const { return items_; }

 private:
  const int32_t* offsets_;
  Items items_;
};

// struct "+s": columns by position, cut to the rows of the struct.
class StructView : public ArrayView {
 public:
  // columns_count -1: any number.
  explicit StructView(const ArrowArray* array, int64_t columns_count = -1,
                      std::string_view what = "batch", int64_t extra_offset = 0,
                      int64_t length = -1)
      : ArrayView(array, 1, columns_count, what, extra_offset, length) {}
  int64_t columns_count() const { return array_->n_children; }
  // Throws INVALID_ARGUMENT when the column is missing or shorter than the struct.
  template <class View>
  View column(int64_t index, std::string_view what) const {
    require(index >= 0 && index < array_->n_children, "a column is missing");
    return View(array_->children[index], what, offset_, length_);
  }
  const ArrowArray* raw() const { return array_; }
};

}  // namespace mortise::sdk

#endif
