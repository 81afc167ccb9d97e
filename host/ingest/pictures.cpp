// See pictures.h.
#include "ingest/pictures.h"

#include <algorithm>
#include <array>
#include <bit>

namespace mortise::ingest {

uint64_t picture_hash(const Image& image) {
  constexpr int64_t kColumns = 9, kRows = 8;
  std::array<int64_t, kColumns * kRows> sums{}, counts{};
  if (image.width < kColumns || image.height < kRows) return 0;
  std::vector<uint8_t> columns(static_cast<size_t>(image.width));
  for (int64_t x = 0; x < image.width; ++x) {
    columns[static_cast<size_t>(x)] = static_cast<uint8_t>(x * kColumns / image.width);
  }
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* pixel = &image.pixels[static_cast<size_t>(y * image.width * 3)];
    const int64_t row = y * kRows / image.height * kColumns;
    for (const uint8_t column : columns) {
      const auto cell = static_cast<size_t>(row + column);
      sums[cell] += 2 * pixel[0] + 5 * pixel[1] + pixel[2];  // about ITU-R BT.601
      ++counts[cell];
      pixel += 3;
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) sums[i] /= counts[i];
  const auto [least, most] = std::minmax_element(sums.begin(), sums.end());
  if (*most - *least < 8 * 8) return 0;  // eight grey values of 255
  uint64_t hash = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (i % kColumns == kColumns - 1) continue;
    hash = hash << 1 | (sums[i] > sums[i + 1] ? 1 : 0);
  }
  return hash;
}

uint32_t PictureIndex::add(uint32_t number, uint64_t hash) {
  words_.resize(4 << 16);
  const auto bucket_of = [&](uint64_t word) -> std::vector<uint32_t>& {
    return words_[word << 16 | (hash >> (16 * word) & 0xFFFF)];
  };
  for (uint64_t word = 0; word < 4; ++word) {
    for (const uint32_t at : bucket_of(word)) {
      if (std::popcount(kept_[at].hash ^ hash) <= kBitsMax) return kept_[at].number;
    }
  }
  kept_.push_back({hash, number});
  for (uint64_t word = 0; word < 4; ++word) {
    std::vector<uint32_t>& bucket = bucket_of(word);
    if (bucket.size() < kBucketMax) bucket.push_back(static_cast<uint32_t>(kept_.size()) - 1);
  }
  return number;
}

}  // namespace mortise::ingest
