// mortise/cpp/media_rows.hpp: a dataset format whose rows are JSON objects with media beside them.
//
// What format_rows.hpp is for text, with columns of media: a format derives from MediaFormat and
// writes a MediaRowReader. Batches, cursors and the order of rows before a bad one are made here.
#ifndef MORTISE_CPP_MEDIA_ROWS_HPP
#define MORTISE_CPP_MEDIA_ROWS_HPP

#include <mortise/cpp/format_rows.hpp>
#include <mortise/cpp/media.hpp>

#include <variant>

namespace mortise::sdk {

// A medium that a row owns; see Medium.
struct OwnedMedium {
  std::string name, bytes, member;
  int64_t offset = 0, length = 0;
  bool is_null = false;  // a gap in a list
};

struct MediaColumn {
  std::string name;
  std::string_view extension;  // MORTISE_MEDIA_IMAGE and so on
  bool is_list = false;
};

struct MediaRow {
  std::string json;
  uint64_t byte_offset = 0;
  std::vector<std::vector<OwnedMedium>> media;  // by column; empty: null
};

// One pass over the rows of a shard. [serial]
class MediaRowReader {
 public:
  virtual ~MediaRowReader() = default;
  // The next row, into *out, whose media has one entry a column, all empty; false at the end.
  // Throws Failure with file, row and byte.
  virtual bool next(MediaRow* out) = 0;
  // Behind the last row that next gave.
  virtual RowPosition position() const = 0;
};

// A shard without rows.
class NoRows : public MediaRowReader {
 public:
  bool next(MediaRow*) override { return false; }
  RowPosition position() const override { return {}; }
};

namespace detail {

class MediaColumnBuilder {
 public:
  explicit MediaColumnBuilder(bool is_list) {
    if (is_list) builder_.emplace<ListBuilder<MediumBuilder>>();
  }
  void append(const std::vector<OwnedMedium>& media) {
    auto* list = std::get_if<ListBuilder<MediumBuilder>>(&builder_);
    MediumBuilder& items = list != nullptr ? list->items() : std::get<MediumBuilder>(builder_);
    if (media.empty()) return list != nullptr ? list->append_null() : items.append_null();
    if (list == nullptr && media.size() != 1) throw internal_fault("One medium a row fits here.");
    for (const OwnedMedium& one : media) {
      if (one.is_null) {
        items.append_null();
      } else {
        items.append({one.name, one.bytes, one.member, one.offset, one.length});
      }
    }
    if (list != nullptr) list->end_row();
  }
  uint64_t size_bytes() {
    auto* list = std::get_if<ListBuilder<MediumBuilder>>(&builder_);
    return (list != nullptr ? list->items() : std::get<MediumBuilder>(builder_)).size_bytes();
  }
  Array finish() {
    return std::visit([](auto& builder) { return builder.finish(); }, builder_);
  }

 private:
  std::variant<MediumBuilder, ListBuilder<MediumBuilder>> builder_;
};

class MediaStream : public FormatStream {
 public:
  MediaStream(std::unique_ptr<MediaRowReader> reader, const std::vector<MediaColumn>& columns,
              uint64_t identity, const ScanOptions& options)
      : reader_(std::move(reader)),
        columns_(columns),
        identity_(identity),
        shard_(options.shard_index),
        rows_max_(options.batch_rows_max == 0 ? 1024 : options.batch_rows_max),
        bytes_max_(options.batch_bytes_max == 0 ? 16 << 20 : options.batch_bytes_max) {}

  // Rows before a bad one come first; the call after them throws.
  bool next(Array* out) override {
    if (failure_) throw Failure(*failure_);
    TextBuilder rows;
    NumberBuilder<int64_t> offsets;
    std::vector<MediaColumnBuilder> media;
    for (const MediaColumn& column : columns_) media.emplace_back(column.is_list);
    uint64_t size_bytes = 0;
    try {
      for (uint64_t count = 0; count < rows_max_ && size_bytes < bytes_max_; ++count) {
        if (count % 64 == 0) check_cancelled();
        row_.media.assign(columns_.size(), {});
        if (!reader_->next(&row_)) break;
        rows.append(row_.json);
        offsets.append(static_cast<int64_t>(row_.byte_offset));
        size_bytes = rows.size_bytes();
        for (size_t i = 0; i < media.size(); ++i) {
          media[i].append(row_.media[i]);
          size_bytes += media[i].size_bytes();
        }
      }
    } catch (const Failure& failure) {
      if (offsets.length() == 0) throw;
      failure_ = failure;
    }
    const int64_t count = offsets.length();
    if (count == 0) return false;
    auto finished = make_vector(rows.finish(), offsets.finish());
    for (MediaColumnBuilder& builder : media) finished.push_back(builder.finish());
    *out = struct_array(count, std::move(finished));
    return true;
  }
  std::string cursor() const override {
    return cursor_text(identity_, shard_, reader_->position());
  }

 private:
  std::unique_ptr<MediaRowReader> reader_;
  const std::vector<MediaColumn>& columns_;
  uint64_t identity_;
  uint32_t shard_;
  uint64_t rows_max_, bytes_max_;
  MediaRow row_;
  std::optional<Failure> failure_;  // waits for the rows before it to be taken
};

}  // namespace detail

class MediaFormat : public Format {
 public:
  Schema schema() const override {
    auto fields = make_vector(make_schema("u", "row"), make_schema("l", "byte_offset"));
    for (const MediaColumn& column : columns_) {
      fields.push_back(media_schema(column.name, column.extension, column.is_list));
    }
    return struct_schema(std::move(fields));
  }
  FormatFacts describe() const override {
    return {-1, static_cast<uint32_t>(files_.names.size())};  // a shard a file
  }
  std::unique_ptr<FormatStream> scan(const ScanOptions& options) const override {
    RowPosition from;
    const bool is_later = !options.cursor.empty();
    if (is_later) from = detail::parse_cursor(options.cursor, identity_, options.shard_index);
    auto reader = open_shard(options, is_later ? &from : nullptr);
    return std::make_unique<detail::MediaStream>(std::move(reader), columns_, identity_, options);
  }

 protected:
  // options: as in RowFormat.
  MediaFormat(RowFiles files, std::string_view options, std::vector<MediaColumn> columns)
      : files_(std::move(files)), columns_(std::move(columns)) {
    std::string text(options);
    for (size_t i = 0; i < files_.names.size(); ++i) {
      text += '\n' + files_.names[i] + '\n' + std::to_string(files_.sizes_bytes[i]);
    }
    identity_ = detail::fnv1a(text);
  }
  const RowFiles& files() const { return files_; }
  const std::vector<MediaColumn>& columns() const { return columns_; }

  // A reader of options.shard_index; from: a position that such a reader had, NULL for the start.
  // options.columns names the columns that are wanted: others may be left empty. The format
  // outlives the reader. [parallel]
  virtual std::unique_ptr<MediaRowReader> open_shard(const ScanOptions& options,
                                                     const RowPosition* from) const = 0;

 private:
  RowFiles files_;
  std::vector<MediaColumn> columns_;
  uint64_t identity_;
};

// Which column of `columns` is named so; -1.
inline int64_t find_media_column(const std::vector<MediaColumn>& columns, std::string_view name) {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return static_cast<int64_t>(i);
  }
  return -1;
}

// The kind of medium that a file with this ending is, or "": "png" -> MORTISE_MEDIA_IMAGE. The
// ending has no dot; case does not matter.
inline std::string_view media_kind(std::string_view ending) {
  constexpr std::pair<const char*, const char*> kKinds[] = {
      {"png", MORTISE_MEDIA_IMAGE},  {"jpg", MORTISE_MEDIA_IMAGE},  {"jpeg", MORTISE_MEDIA_IMAGE},
      {"webp", MORTISE_MEDIA_IMAGE}, {"gif", MORTISE_MEDIA_IMAGE},  {"bmp", MORTISE_MEDIA_IMAGE},
      {"tif", MORTISE_MEDIA_IMAGE},  {"tiff", MORTISE_MEDIA_IMAGE}, {"wav", MORTISE_MEDIA_AUDIO},
      {"flac", MORTISE_MEDIA_AUDIO}, {"mp3", MORTISE_MEDIA_AUDIO},  {"ogg", MORTISE_MEDIA_AUDIO},
      {"opus", MORTISE_MEDIA_AUDIO}, {"m4a", MORTISE_MEDIA_AUDIO},  {"mp4", MORTISE_MEDIA_VIDEO},
      {"mov", MORTISE_MEDIA_VIDEO},  {"avi", MORTISE_MEDIA_VIDEO},  {"mkv", MORTISE_MEDIA_VIDEO},
      {"webm", MORTISE_MEDIA_VIDEO}};
  std::string lower(ending);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const auto& [known, kind] : kKinds) {
    if (lower == known) return kind;
  }
  return {};
}

// The columns that fit any row: one medium of a kind comes in image, audio or video, several of a
// kind come as a list in images, audios or videos.
inline std::vector<MediaColumn> common_media_columns() {
  return {{"image", MORTISE_MEDIA_IMAGE, false}, {"audio", MORTISE_MEDIA_AUDIO, false},
          {"video", MORTISE_MEDIA_VIDEO, false}, {"images", MORTISE_MEDIA_IMAGE, true},
          {"audios", MORTISE_MEDIA_AUDIO, true}, {"videos", MORTISE_MEDIA_VIDEO, true}};
}

// The media of one row on their way into these columns.
class CommonMedia {
 public:
  // kind: as media_kind gives it, not empty.
  void add(std::string_view kind, OwnedMedium medium) {
    const size_t which = kind == MORTISE_MEDIA_IMAGE ? 0 : kind == MORTISE_MEDIA_AUDIO ? 1 : 2;
    media_[which].push_back(std::move(medium));
  }
  void move_to(MediaRow* row) {
    for (size_t i = 0; i < 3; ++i) {
      const size_t column = media_[i].size() > 1 ? i + 3 : i;
      row->media[column] = std::exchange(media_[i], {});
    }
  }

 private:
  std::vector<OwnedMedium> media_[3];  // image, audio, video
};

// "a/b.tar.gz" -> "gz"; "" without a dot in the last part.
inline std::string_view ending_of(std::string_view name) {
  const size_t slash = name.rfind('/');
  if (slash != name.npos) name.remove_prefix(slash + 1);
  const size_t dot = name.rfind('.');
  return dot == name.npos ? std::string_view() : name.substr(dot + 1);
}

}  // namespace mortise::sdk

#endif
