// @ID@: a text file, a row a line.
//
// The host calls it through mortise.dataset_format/1. Replace what is marked. A file is a shard; the
// cursor is the byte at which the next row begins, with what tells the file from others.
#include <mortise/cpp/files.hpp>
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/plugin.hpp>
#include <mortise/cpp/utf8.hpp>

#include <charconv>

namespace {

using namespace mortise::sdk;

constexpr uint64_t kFileBytesMax = uint64_t{256} << 20;
constexpr uint64_t kBatchRows = 1024;

class LineStream : public FormatStream {
 public:
  LineStream(const std::string& name, const ScanOptions& options)
      : name_(name),
        content_(File::open(name).read_all(kFileBytesMax)),
        rows_max_(options.batch_rows_max == 0 ? kBatchRows : options.batch_rows_max) {
    if (!options.cursor.empty()) resume(options.cursor);
  }

  // Replace: parse the next rows; throw with file, row and byte for a bad one.
  bool next(Array* out) override {
    TextBuilder text;
    NumberBuilder<int64_t> byte_offset;
    while (text.length() < static_cast<int64_t>(rows_max_) && offset_ < content_.size()) {
      if (text.length() % 256 == 0) check_cancelled();
      const size_t end = std::min(content_.find('\n', offset_), content_.size());
      const std::string_view line = std::string_view(content_).substr(offset_, end - offset_);
      if (!is_utf8(line)) {
        throw invalid_argument("The line is not UTF-8.")
            .at(name_, row_, static_cast<int64_t>(offset_))
            .with_hint("Save the file as UTF-8.");
      }
      text.append(line);
      byte_offset.append(static_cast<int64_t>(offset_));
      offset_ = std::min(end + 1, content_.size());
      ++row_;
    }
    const int64_t count = text.length();
    if (count == 0) return false;
    *out = struct_array(count, make_vector(text.finish(), byte_offset.finish()));
    return true;
  }

  std::string cursor() const override {
    return std::to_string(offset_) + " " + std::to_string(row_) + " " + tag();
  }

 private:
  std::string tag() const { return std::to_string(content_.size()) + " " + name_; }

  void resume(const std::string& cursor) {
    const char* end = cursor.data() + cursor.size();
    const auto offset = std::from_chars(cursor.data(), end, offset_);
    const auto row = std::from_chars(std::min(offset.ptr + 1, end), end, row_);
    const bool is_sound = offset.ec == std::errc() && row.ec == std::errc() &&
                          std::string(row.ptr, end) == " " + tag() &&
                          offset_ <= content_.size() && row_ >= 1;
    if (!is_sound) throw data_loss("The cursor is damaged or of another file.").at(name_);
  }

  std::string name_;
  std::string content_;
  uint64_t rows_max_;
  size_t offset_ = 0;
  int64_t row_ = 1;
};

class @CLASS@ : public Format {
 public:
  // Replace: how sure are you, from the name and at most 64 KiB of the file?
  static ProbeResult probe(const FormatSample& sample) {
    const std::string_view name = sample.name;
    const bool is_text = name.size() > 4 && name.substr(name.size() - 4) == ".txt";
    return is_text ? ProbeResult{30, "The name ends in .txt."}
                   : ProbeResult{0, "The name does not end in .txt."};
  }

  @CLASS@(std::vector<std::string> uris, Json /*config*/) : uris_(std::move(uris)) {
    if (uris_.empty()) throw invalid_argument("There is no file.");
    for (const std::string& uri : uris_) File::open(uri);  // NOT_FOUND now, not in the middle
  }

  // Replace: your columns.
  Schema schema() const override {
    return struct_schema(make_vector(make_schema("u", "text"), make_schema("l", "byte_offset")));
  }
  FormatFacts describe() const override { return {-1, static_cast<uint32_t>(uris_.size())}; }
  std::unique_ptr<FormatStream> scan(const ScanOptions& options) const override {
    return std::make_unique<LineStream>(uris_[options.shard_index], options);
  }

 private:
  std::vector<std::string> uris_;
};

}  // namespace

MORTISE_PLUGIN("@ID@", {MORTISE_KIND_DATASET_FORMAT, format_table<@CLASS@>()});
