// See frame_sequence.h. Tar as POSIX.1-2017 describes "ustar Interchange Format".
#include "ingest/frame_sequence.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <optional>

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr size_t kBlock = 512;
constexpr size_t kMembersMax = 1'000'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// An octal number, ended by a blank or NUL.
std::optional<uint64_t> octal(std::string_view field) {
  const size_t begin = field.find_first_not_of(' ');
  size_t at = begin;
  uint64_t value = 0;
  for (; at < field.size() && field[at] >= '0' && field[at] <= '7'; ++at) {
    value = value * 8 + static_cast<uint64_t>(field[at] - '0');
  }
  if (at == begin || (at < field.size() && field[at] != ' ' && field[at] != '\0')) return {};
  return value;
}

bool is_sum_right(std::string_view block) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return octal(block.substr(148, 8)) == sum;
}

}  // namespace

bool is_picture(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string ending(name.substr(dot + 1));
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == "png" || ending == "jpg" || ending == "jpeg";
}

bool before_by_number(std::string_view a, std::string_view b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const auto run = [](std::string_view text, size_t& at) {
        while (at < text.size() && text[at] == '0') ++at;
        const size_t begin = at;
        while (at < text.size() && is_digit(text[at])) ++at;
        return text.substr(begin, at - begin);
      };
      const std::string_view left = run(a, i), right = run(b, j);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
    } else {
      if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
      ++i;
      ++j;
    }
  }
  if (i == a.size() && j == b.size()) return a.size() != b.size() ? a.size() < b.size() : a < b;
  return i == a.size();
}

Result<std::vector<VideoFrame>> sample_pictures(
    int64_t count, const std::function<Result<std::string>(int64_t)>& read, double fps,
    const FrameBudget& budget, const ImageLimits& limits) {
  if (count < 1 || budget.frames_max < 1 || budget.frame_pixels_max < 1) {
    return Error(Code::kInvalidArgument,
                 "A film of " + std::to_string(count) + " pictures is sampled for " +
                     std::to_string(budget.frames_max) + " frames.",
                 "Give at least one picture, and ask for at least one frame of one pixel.");
  }
  std::vector<VideoFrame> frames;
  for (const int64_t index : even_indices(count, frames_wanted(budget, count, fps))) {
    MORTISE_ASSIGN(const std::string bytes, read(index));
    auto image = decode_image(base::as_bytes(bytes), limits);
    if (!image.ok()) {
      Error error = std::move(image).error();
      error.message = "Frame " + std::to_string(index) + ": " + error.message;
      return error;
    }
    MORTISE_ASSIGN(Image fitted, fit_pixels(std::move(*image), budget.frame_pixels_max));
    frames.push_back({std::move(fitted), index, fps > 0 ? static_cast<double>(index) / fps : 0});
  }
  return frames;
}

Result<std::vector<std::string>> pictures_among(std::vector<std::string> names) {
  std::erase_if(names, [](const std::string& name) { return !is_picture(name); });
  std::sort(names.begin(), names.end(), before_by_number);
  if (!names.empty()) return names;
  return Error(Code::kInvalidArgument, "The folder has no pictures.",
               "Put the frames there as JPEG or PNG files.");
}

Result<std::vector<std::string>> folder_pictures(base::FileOps& files, const std::string& folder) {
  MORTISE_ASSIGN(const auto entries, files.list(folder));
  std::vector<std::string> names;
  for (const base::FileInfo& entry : entries) {
    if (!entry.is_folder) names.push_back(entry.name);
  }
  auto pictures = pictures_among(std::move(names));
  if (!pictures.ok()) return std::move(pictures.error().at_file(folder));
  return pictures;
}

Result<std::vector<TarEntry>> tar_pictures(ByteSource& source) {
  std::vector<TarEntry> pictures;
  std::array<char, kBlock> bytes{};
  const std::string_view block(bytes.data(), bytes.size());
  uint64_t at = 0;
  for (size_t members = 0;; ++members) {
    const auto fail = [&](Code code, const std::string& words, const char* hint) {
      return Error(code, "The archive of frames " + words, hint).at_byte(static_cast<int64_t>(at));
    };
    MORTISE_ASSIGN(const size_t got, source.read_at(at, std::as_writable_bytes(std::span(bytes))));
    if (got < kBlock) {
      return fail(Code::kDataLoss, "ends before its end mark.", "Make or copy it again.");
    }
    if (block.find_first_not_of('\0') == std::string_view::npos) return pictures;
    const auto size = octal(block.substr(124, 12));
    if (!is_sum_right(block) || !size) {
      return fail(Code::kInvalidArgument, "is no plain tar.", "Make it with tar --format=ustar.");
    }
    const char type = block[156];
    const bool is_file = type == '0' || type == '\0';
    if (!is_file && type != '5' && type != 'x' && type != 'g' && type != 'L') {
      return fail(Code::kInvalidArgument, "has a link or a device.", "Archive plain files only.");
    }
    if (members >= kMembersMax) {
      return fail(Code::kResourceExhausted, "has more than 1000000 members.", "Split it.");
    }
    at += kBlock;
    if (*size > source.size_bytes() - at) {
      return fail(Code::kDataLoss, "is cut off inside a member.", "Make or copy it again.");
    }
    std::string name(block.substr(0, std::min<size_t>(block.find('\0'), 100)));
    if (is_file && is_picture(name)) pictures.push_back({std::move(name), at, *size});
    at += (*size + kBlock - 1) / kBlock * kBlock;
  }
}

}  // namespace mortise::ingest
