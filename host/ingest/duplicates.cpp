// See duplicates.h.
#include "ingest/duplicates.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstring>

#include "ingest/row_rules.h"

namespace mortise::ingest {

using base::Json;
using base::TapeValue;

namespace {

constexpr uint64_t kMulA = 0x9E3779B97F4A7C15u, kMulB = 0xD6E8FEB86659FD93u;
constexpr size_t kBytesMin = 40, kWordsMin = 8;

uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

constexpr uint64_t kBytes = 0x0101010101010101u, kHighs = 0x80 * kBytes;

uint64_t load(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// The high bit of each byte that is ink. Blanks and most punctuation of ASCII, up to '@', are not.
uint64_t ink_of(uint64_t word) {
  const uint64_t low = word & ~kHighs;
  const auto from = [low](uint64_t byte) { return low + (0x80 - byte) * kBytes; };
  return ((from('0') & ~(from(':') & ~from('A'))) | word) & kHighs;
}

// The high bits of eight bytes as eight bits, the first byte lowest.
uint64_t gathered(uint64_t highs) {
  return (highs >> 7) * 0x0102040810204080u >> 56;
}

// The word that begins in these eight bytes: letters small, cut at the first byte that is no ink.
uint64_t word_of(uint64_t eight) {
  const uint64_t end = ~ink_of(eight) & kHighs;
  const uint64_t mask = ((end & -end) >> 7) - 1;
  return (eight | (0x20 * kBytes & ~((eight & kHighs) >> 2))) & mask;
}

// Of 64 bytes, a bit each: which are ink, and which begin a character beyond ASCII.
struct Masks {
  uint64_t ink = 0, leads = 0;
};

Masks masks_by_eight(const char* at) {
  Masks masks;
  for (size_t i = 0; i < 64; i += 8) {
    const uint64_t eight = load(at + i);
    masks.ink |= gathered(ink_of(eight)) << i;
    masks.leads |= gathered(eight & (eight << 1) & kHighs) << i;
  }
  return masks;
}

Masks masks_of(const char* at) {
#if defined(__SSE2__)  // a quarter of the steps; bytes compare as signed, those beyond ASCII below
                       // 0
  Masks masks;
  for (size_t i = 0; i < 64; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i));
    const auto above = [bytes](char least) { return _mm_cmpgt_epi8(bytes, _mm_set1_epi8(least)); };
    const __m128i punctuation = _mm_andnot_si128(above('A' - 1), above(':' - 1));
    const __m128i ink = _mm_or_si128(_mm_andnot_si128(punctuation, above('0' - 1)), bytes);
    const __m128i lead = _mm_and_si128(above(-65), bytes);
    masks.ink |= static_cast<uint64_t>(_mm_movemask_epi8(ink)) << i;
    masks.leads |= static_cast<uint64_t>(_mm_movemask_epi8(lead)) << i;
  }
  return masks;
#else
  return masks_by_eight(at);
#endif
}

// One permutation over pairs of words that follow each other: the top bits of a pair's hash choose
// the bin, the others compete in it. Only the first eight bytes of a word count; a character beyond
// ASCII begins a word of its own.
struct Words {
  std::array<uint32_t, TextSketch::kBins> least;
  uint64_t last = 0;
  size_t count = 0, size_bytes = 0;

  Words() { least.fill(UINT32_MAX); }
  void add(std::string_view text) {
    size_bytes += text.size();
    bool is_inside = false;
    size_t at = 0;
    for (; at + 72 <= text.size(); at += 64) {
      is_inside = block(text.data() + at, masks_of(text.data() + at), is_inside);
    }
    char rest[72 + 64] = {};
    std::memcpy(rest, text.data() + at, text.size() - at);
    for (size_t i = 0; i < text.size() - at; i += 64) {
      is_inside = block(rest + i, masks_by_eight(rest + i), is_inside);
    }
  }

 private:
  // Eight bytes behind the block may be read. Answers whether a word goes on behind it.
  bool block(const char* at, const Masks& masks, bool is_inside) {
    const uint64_t ink = masks.ink, leads = masks.leads;
    uint64_t starts = (ink & ~(ink << 1 | (is_inside ? 1 : 0))) | leads;
    for (; starts != 0; starts &= starts - 1) {
      const uint64_t word = word_of(load(at + __builtin_ctzll(starts)));
      const uint64_t hash = mix(last ^ kMulA, word ^ kMulB);
      last = word;
      uint32_t& bin = least[hash >> 59];
      const auto value = static_cast<uint32_t>(hash >> 16);
      bin = value < bin ? value : bin;
      ++count;
    }
    return ink >> 63 != 0;
  }
};

uint64_t hash_number(const base::TapeNode& node) {
  return mix(node.uint_value ^ kMulB, kMulA + static_cast<uint64_t>(node.kind));
}

}  // namespace

uint64_t hash_text(std::string_view text, uint64_t seed) {
  uint64_t hash = mix(text.size() ^ kMulA, seed ^ kMulB);
  const char* at = text.data();
  size_t left = text.size();
  uint64_t words[2];
  for (; left >= sizeof words; at += sizeof words, left -= sizeof words) {
    std::memcpy(words, at, sizeof words);
    hash = mix(hash ^ words[0], words[1] ^ kMulB);
  }
  words[0] = words[1] = 0;
  if (left > 0) std::memcpy(words, at, left);
  return mix(hash ^ words[0], words[1] ^ kMulA);
}

uint64_t hash_value(TapeValue value) {
  const base::TapeNode& node = *value.node();
  uint64_t hash = static_cast<uint64_t>(node.kind) + 1;
  switch (node.kind) {
    case Json::Kind::kString:
      return hash_text(node.text, hash);
    case Json::Kind::kArray:
      for (const TapeValue item : value) hash = mix(hash ^ kMulA, hash_value(item) ^ kMulB);
      return hash;
    case Json::Kind::kObject: {
      uint64_t sum = node.count;
      for (const TapeValue member : value) sum += hash_text(member.name(), hash_value(member));
      return mix(sum ^ kMulB, kMulA);
    }
    case Json::Kind::kNull:
      return hash;
    case Json::Kind::kBool:
      return mix(hash, kMulA + (node.bool_value ? 1 : 0));
    default:
      return hash_number(node);
  }
}

TextSketch sketch_of(TapeValue row) {
  Words words;
  visit_texts(row, [&](std::string_view text) { words.add(text); });
  TextSketch sketch;
  sketch.is_long_enough = words.size_bytes >= kBytesMin && words.count >= kWordsMin;
  for (size_t i = 0; i < sketch.bins.size(); ++i) {
    const uint32_t least = words.least[i];
    const uint32_t mixed = least * 0x9E3779B1u >> 24;
    sketch.bins[i] = static_cast<uint8_t>(least == UINT32_MAX ? 0 : std::max(mixed, 1u));
  }
  for (const std::string_view name :
       {"image_path", "images", "audio_path", "audios", "video", "videos", "tensors"}) {
    const TapeValue medium = row.find(name);
    if (medium.exists()) sketch.media += static_cast<uint32_t>(hash_value(medium));
  }
  return sketch;
}

double similarity(const TextSketch& a, const TextSketch& b) {
  if (a.media != b.media) return 0;
  size_t counted = 0, same = 0;
  for (size_t i = 0; i < a.bins.size(); ++i) {
    if (a.bins[i] == 0 && b.bins[i] == 0) continue;
    ++counted;
    same += a.bins[i] == b.bins[i] ? 1 : 0;
  }
  return counted == 0 ? 0 : static_cast<double>(same) / static_cast<double>(counted);
}

std::optional<Duplicates::Found> Duplicates::add(TapeValue row, uint32_t row_number) {
  const uint64_t hash = hash_value(row);
  if (!hashes_.empty()) __builtin_prefetch(&hashes_[(hash | 1) >> 1 & (hashes_.size() - 1)]);
  const TextSketch sketch = sketch_of(row);
  const auto exact = add_exact(hash, row_number);
  if (exact) return Found{*exact, 1, true};
  return sketch.is_long_enough ? add_near(sketch, row_number) : std::nullopt;
}

std::optional<uint32_t> Duplicates::add_exact(uint64_t hash, uint32_t row_number) {
  hash |= 1;
  if (hashes_count_ * 2 >= hashes_.size() && hashes_count_ < kRowsMax) grow_exact();
  size_t at = hash >> 1 & (hashes_.size() - 1);
  while (hashes_[at] != 0) {
    if (hashes_[at] == hash) return hash_rows_[at];
    at = (at + 1) & (hashes_.size() - 1);
  }
  if (hashes_count_ == kRowsMax) return std::nullopt;
  hashes_[at] = hash;
  hash_rows_[at] = row_number;
  ++hashes_count_;
  return std::nullopt;
}

void Duplicates::grow_exact() {
  const size_t size = std::max<size_t>(hashes_.size() * 4, 8192);
  std::vector<uint64_t> hashes(size);
  std::vector<uint32_t> rows(size);
  for (size_t i = 0; i < hashes_.size(); ++i) {
    if (hashes_[i] == 0) continue;
    size_t at = hashes_[i] >> 1 & (size - 1);
    while (hashes[at] != 0) at = (at + 1) & (size - 1);
    hashes[at] = hashes_[i];
    rows[at] = hash_rows_[i];
  }
  hashes_.swap(hashes);
  hash_rows_.swap(rows);
}

Duplicates::Slot Duplicates::slot_of(const TextSketch& sketch, size_t band) const {
  uint32_t four = 0;
  std::memcpy(&four, &sketch.bins[band * 4], sizeof four);
  if (four == 0) return {};
  const uint64_t hash =
      mix(four ^ kMulA, (static_cast<uint64_t>(sketch.media) << 8 | band) ^ kMulB);
  return {band * band_slots_ + (hash & (band_slots_ - 1)), static_cast<uint32_t>(hash >> 52 | 1)
                                                               << kIndexBits};
}

std::optional<Duplicates::Found> Duplicates::add_near(const TextSketch& sketch,
                                                      uint32_t row_number) {
  if (kept_.size() >= band_slots_ && band_slots_ < kRowsMax) grow_bands();
  std::array<Slot, kBands> slots;
  for (size_t band = 0; band < kBands; ++band) {
    slots[band] = slot_of(sketch, band);
    if (slots[band].tag != 0) __builtin_prefetch(&bands_[slots[band].at], 1);
  }
  std::optional<Found> best;
  for (const Slot& slot : slots) {
    if (slot.tag == 0) continue;
    uint32_t& held = bands_[slot.at];
    if ((held & ~kIndexMask) == slot.tag) {
      const Kept& earlier = kept_[held & kIndexMask];
      const double how = similarity(sketch, earlier.sketch);
      if (how >= kNear && (!best || how > best->similarity)) best = Found{earlier.row, how, false};
    }
    held = slot.tag | static_cast<uint32_t>(kept_next_);
  }
  if (kept_.size() < kRowsMax) {
    kept_.push_back({sketch, row_number});
  } else {
    kept_[kept_next_] = {sketch, row_number};
  }
  kept_next_ = (kept_next_ + 1) % kRowsMax;
  return best;
}

void Duplicates::grow_bands() {
  band_slots_ = std::max<size_t>(band_slots_ * 4, 4096);
  bands_.assign(kBands * band_slots_, 0);
  for (size_t i = 0; i < kept_.size(); ++i) {
    for (size_t band = 0; band < kBands; ++band) {
      const Slot slot = slot_of(kept_[i].sketch, band);
      if (slot.tag != 0) bands_[slot.at] = slot.tag | static_cast<uint32_t>(i);
    }
  }
}

size_t Duplicates::memory_bytes() const {
  return hashes_.capacity() * 8 + hash_rows_.capacity() * 4 + kept_.capacity() * sizeof(Kept) +
         bands_.capacity() * 4;
}

}  // namespace mortise::ingest
