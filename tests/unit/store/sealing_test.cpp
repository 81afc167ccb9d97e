#include "store/sealing.h"

#include <gtest/gtest.h>

#include "store/chunk_index.h"
#include "store/chunker.h"
#include "store/domain_key.h"
#include "store/object_ref.h"
#include "tests/support/fixed_random.h"

namespace mortise::store {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;

base::Secret key_of(std::byte value) {
  base::Secret key;
  std::ranges::fill(key.writable(), value);
  return key;
}

Bytes sealed(const Bytes& plain, std::string_view context = "context") {
  std::array<std::byte, kSaltSize> salt{std::byte{9}};
  Bytes out(sealed_size(plain.size()));
  seal(key_of(std::byte{1}), context, salt, plain, out);
  return out;
}

base::Status open_whole(const Bytes& message, std::string_view context, Bytes& plain) {
  MORTISE_ASSIGN(Unsealer unsealer, Unsealer::open(key_of(std::byte{1}), context,
                                                   ByteView(message).first<kSealHeadSize>()));
  return unsealer.open_all(ByteView(message).subspan(kSealHeadSize), plain);
}

TEST(Sealing, HasTheSizesOfTheSpecification) {
  EXPECT_EQ(sealed_size(0), 56u + 16);
  EXPECT_EQ(sealed_size(1024), 56u + 1024 + 16);
  EXPECT_EQ(sealed_size(16384), 56u + 16384 + 32);  // a full frame and an empty one
  EXPECT_EQ(sealed_size(20480), 56u + 20480 + 32);
}

TEST(Sealing, OpensWhatItSealedAndNoOtherLength) {
  for (const size_t size : {0u, 1u, 16383u, 16384u, 16385u, 100'000u}) {
    const Bytes plain(size, std::byte{3}), message = sealed(plain);
    Bytes opened(size);
    ASSERT_TRUE(open_whole(message, "context", opened).ok()) << size;
    EXPECT_EQ(opened, plain);
    if (size < 16384) continue;
    Bytes shorter(message.begin(), message.begin() + 56 + 16400), prefix(16384);
    EXPECT_EQ(open_whole(shorter, "context", prefix).error().code, Code::kDataLoss) << size;
  }
}

TEST(Sealing, ChecksCommitmentContextKeyAndOrder) {
  const Bytes plain(40'000, std::byte{3}), message = sealed(plain);
  Bytes opened(plain.size());
  EXPECT_EQ(open_whole(message, "another", opened).error().code, Code::kDataLoss);
  EXPECT_FALSE(
      Unsealer::open(key_of(std::byte{2}), "context", ByteView(message).first<kSealHeadSize>())
          .ok());
  for (const size_t at : {size_t{0}, size_t{30}, size_t{60}, size_t{16500}, message.size() - 1}) {
    Bytes damaged = message;
    damaged[at] ^= std::byte{1};
    EXPECT_EQ(open_whole(damaged, "context", opened).error().code, Code::kDataLoss) << at;
    EXPECT_EQ(opened, Bytes(plain.size())) << "plaintext before its tag was checked";
  }
  Bytes swapped = message;
  std::swap_ranges(swapped.begin() + 56, swapped.begin() + 56 + 16400,
                   swapped.begin() + 56 + 16400);
  EXPECT_EQ(open_whole(swapped, "context", opened).error().code, Code::kDataLoss);
}

TEST(Chunker, CutsByContentWithinItsBoundsAndByItsKey) {
  const uint64_t seed = 21;
  const std::string text = tests::FixedRandom(seed).text(20u << 20);
  const Chunker chunker(key_of(std::byte{1})), other(key_of(std::byte{2}));
  ByteView rest = base::as_bytes(text);
  size_t count = 0, same = 0;
  while (!rest.empty()) {
    const size_t size = chunker.cut(rest);
    EXPECT_TRUE(size >= kCutSizeMin || size == rest.size());
    EXPECT_LE(size, kCutSizeMax);
    same += other.cut(rest) == size ? 1 : 0;
    rest = rest.subspan(size);
    ++count;
  }
  const double mean = 20.0 * (1 << 20) / static_cast<double>(count);
  EXPECT_GT(mean, 200e3) << "seed " << seed;
  EXPECT_LT(mean, 400e3) << "seed " << seed;
  EXPECT_LT(same, count / 4);
}

TEST(Chunker, KnowsCompressedFormatsByTheirFirstBytes) {
  using namespace std::string_view_literals;
  for (const std::string_view start :
       {"\xff\xd8\xff\xe0"sv, "\x89PNG\r\n\x1a\n...."sv, "RIFF....WEBPVP8 "sv, "....ftypisom"sv,
        "\x1f\x8b\x08"sv, "PK\x03\x04"sv,
        "\xfd"
        "7zXZ\0"sv,
        "ID3\x04"sv, "OggS"sv}) {
    EXPECT_TRUE(is_compressed_format(base::as_bytes(start))) << start;
  }
  for (const std::string_view start : {""sv, "{\"a\": 1}"sv, "RIFF"sv, "\x89PN"sv}) {
    EXPECT_FALSE(is_compressed_format(base::as_bytes(start))) << start;
  }
}

TEST(ChunkIndex, FindsReplacesAndForgets) {
  tests::FixedRandom random(3);
  ChunkIndex index;
  std::vector<ChunkId> ids(20'000);
  for (uint32_t i = 0; i < ids.size(); ++i) {
    random.fill(ids[i]);
    ASSERT_TRUE(index.insert(
        ids[i],
        {.segment = i % 7, .offset = i, .plain_size = 4u << 20, .stored_size = i, .flags = 3}));
    ASSERT_FALSE(index.insert(ids[i], {}));
  }
  EXPECT_EQ(index.size(), ids.size());
  EXPECT_LE(index.memory_bytes(), ids.size() * 36 * 2);
  index.erase_if([](const ChunkPlace& place) { return place.segment == 3; });
  index.replace(ids[0], {.segment = 9, .offset = 1});
  for (uint32_t i = 1; i < ids.size(); ++i) {
    const auto place = index.find(ids[i]);
    ASSERT_EQ(place.has_value(), i % 7 != 3);
    if (!place) continue;
    EXPECT_EQ(place->offset, i);
    EXPECT_EQ(place->plain_size, 4u << 20);
    EXPECT_EQ(place->flags, 3u);
  }
  EXPECT_EQ(index.find(ids[0])->segment, 9u);
}

TEST(DomainKey, TravelsAsBytes) {
  tests::FixedRandom random(1);
  const DomainKey key = DomainKey::make("films", random);
  Bytes bytes = key.serialise();
  const auto parsed = DomainKey::parse(bytes);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->domain_id(), "films");
  EXPECT_EQ(parsed->key_id(), key.key_id());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DomainKey::parse(ByteView(bytes).first(size)).ok()) << size;
  }
  bytes[9] = std::byte{'/'};
  EXPECT_EQ(DomainKey::parse(bytes).error().code, Code::kInvalidArgument);
}

TEST(ObjectRef, HasOneSpelling) {
  ObjectRef ref{.id = {}, .size_bytes = 5'000'000, .kind = ObjectKind::kRecipe};
  ref.id[0] = std::byte{0xab};
  const std::string text = to_text(ref);
  EXPECT_EQ(text, "obj:ab" + std::string(62, '0') + ":5000000:r");
  EXPECT_EQ(*parse_object_ref(text), ref);
  const std::string hex(64, '0');
  for (const std::string& wrong :
       {std::string(), "obj:" + hex, "obj:" + hex + "::s", "obj:" + hex + ":1:x",
        "obj:" + hex + ":01:s", "obj:" + hex + ":-1:s", "obj:" + hex + ":99999999999999999999:r",
        "obj:" + std::string(64, 'A') + ":1:s", "obj:" + hex + ":4194305:s", text + " "}) {
    EXPECT_EQ(parse_object_ref(wrong).error().code, Code::kInvalidArgument) << wrong;
  }
}

}  // namespace
}  // namespace mortise::store
