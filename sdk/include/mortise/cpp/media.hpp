// mortise/cpp/media.hpp: columns of media as kind/format.h describes them, made and read.
//
// Used by formats whose files hold pictures, sound or film, and by their writers. A medium is bytes
// in the batch, or a range of a file of the data set: a range costs nothing until the host copies
// it.
#ifndef MORTISE_CPP_MEDIA_HPP
#define MORTISE_CPP_MEDIA_HPP

#include <mortise/kind/format.h>
#include <mortise/cpp/arrow_build.hpp>
#include <mortise/cpp/arrow_read.hpp>

namespace mortise::sdk {

struct Medium {
  std::string_view name;    // suggested file name, relative; empty: none
  std::string_view bytes;   // of the medium itself, when member is empty
  std::string_view member;  // name for mortise.files/1 of the file that holds it
  int64_t offset = 0;       // bytes, in member
  int64_t length = 0;
};

// A column of one medium a row, or of a list. extension: MORTISE_MEDIA_IMAGE and so on.
inline Schema media_schema(std::string_view column, std::string_view extension,
                           bool is_list = false) {
  auto members = make_vector(make_schema("u", "name", true), make_schema("z", "bytes", true),
                             make_schema("u", "member", true), make_schema("l", "offset", true),
                             make_schema("l", "length", true));
  const std::vector<MetadataPair> metadata = {{"ARROW:extension:name", extension}};
  if (!is_list) return make_schema("+s", column, true, std::move(members), metadata);
  return make_schema("+l", column, true,
                     make_vector(make_schema("+s", "item", true, std::move(members))), metadata);
}

// The extension of a column of media, or "".
inline std::string_view media_extension(const ArrowSchema& column) {
  const std::string_view found = find_metadata(column, "ARROW:extension:name");
  const bool is_known =
      found == MORTISE_MEDIA_IMAGE || found == MORTISE_MEDIA_AUDIO || found == MORTISE_MEDIA_VIDEO;
  return is_known ? found : std::string_view();
}

class MediumBuilder {
 public:
  void append(const Medium& medium) {
    const bool is_range = !medium.member.empty();
    medium.name.empty() ? names_.append_null() : names_.append(medium.name);
    is_range ? bytes_.append_null() : bytes_.append(medium.bytes);
    is_range ? members_.append(medium.member) : members_.append_null();
    is_range ? offsets_.append(medium.offset) : offsets_.append_null();
    is_range ? lengths_.append(medium.length) : lengths_.append_null();
    validity_.append(true);
  }
  void append_null() {
    names_.append_null();
    bytes_.append_null();
    members_.append_null();
    offsets_.append_null();
    lengths_.append_null();
    validity_.append(false);
  }
  int64_t length() const { return validity_.length(); }
  uint64_t size_bytes() const { return bytes_.size_bytes(); }
  Array finish() {
    auto node = std::make_unique<detail::ArrayNode>();
    node->children = make_vector(names_.finish(), bytes_.finish(), members_.finish(),
                                 offsets_.finish(), lengths_.finish());
    return validity_.finish(std::move(node), 1);
  }

 private:
  TextBuilder names_, bytes_, members_;
  NumberBuilder<int64_t> offsets_, lengths_;
  detail::Validity validity_;
};

// A column of one medium a row; ListView<MediumView> reads lists.
class MediumView : public ArrayView {
 public:
  explicit MediumView(const ArrowArray* array, std::string_view what = "media",
                      int64_t extra_offset = 0, int64_t length = -1)
      : ArrayView(array, 1, 5, what, extra_offset, length),
        names_(array->children[0], what, offset_, length_),
        bytes_(array->children[1], what, offset_, length_),
        members_(array->children[2], what, offset_, length_),
        offsets_(array->children[3], what, offset_, length_),
        lengths_(array->children[4], what, offset_, length_) {}
  // Of a row that is not null. Throws INVALID_ARGUMENT when it has neither bytes nor a range.
  Medium operator[](int64_t row) const {
    const Medium medium{names_[row], bytes_[row], members_[row], offsets_[row], lengths_[row]};
    const bool is_range = !members_.is_null(row);
    require(is_range != !bytes_.is_null(row), "a medium needs either bytes or a range");
    require(!is_range || (medium.offset >= 0 && medium.length >= 0), "a range is negative");
    return medium;
  }

 private:
  TextView names_, bytes_, members_;
  NumberView<int64_t> offsets_, lengths_;
};

}  // namespace mortise::sdk

#endif
