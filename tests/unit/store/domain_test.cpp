#include "store/domain.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "store/segment.h"
#include "tests/support/faulty_file_ops.h"
#include "tests/support/fixed_random.h"
#include "tests/support/temp_folder.h"

namespace mortise::store {
namespace {

using base::Code;

DomainKey key_of(const std::string& id = "films", int seed = 1) {
  tests::FixedRandom random(static_cast<uint64_t>(seed));
  return DomainKey::make(id, random);
}

std::shared_ptr<Domain> open_in(const std::string& folder,
                                base::FileOps& files = base::posix_file_ops(),
                                const DomainKey& key = key_of()) {
  auto domain = Domain::open(files, base::system_random(), base::system_clock(), key, {folder, {}});
  EXPECT_TRUE(domain.ok()) << domain.error().text();
  return domain.ok() ? *domain : nullptr;
}

ObjectRef put(Domain& domain, std::string_view bytes, Cut cut = Cut::kProbe) {
  const auto ref = domain.put(base::as_bytes(bytes), cut);
  EXPECT_TRUE(ref.ok()) << ref.error().text();
  return ref.ok() ? *ref : ObjectRef{};
}

std::string words(size_t size, uint64_t seed) {  // compresses, and differs everywhere
  tests::FixedRandom random(seed);
  std::string text;
  while (text.size() < size) text += "word" + std::to_string(random.below(5000)) + " ";
  text.resize(size);
  return text;
}

size_t count_files(const std::string& folder, const std::string& ending) {
  size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    count += file.path().string().ends_with(ending) ? 1 : 0;
  }
  return count;
}

TEST(Domain, GivesBackObjectsOfEverySizeAndCut) {
  const tests::TempFolder folder;
  tests::FixedRandom random(11);
  auto domain = open_in(folder / "d");
  std::vector<std::pair<ObjectRef, std::string>> put_objects;
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{3000}, size_t{16383}, size_t{16384}, size_t{65536},
        size_t{1'000'000}, size_t{4u << 20}, size_t{9'500'000}}) {
    for (const Cut cut : {Cut::kProbe, Cut::kByContent, Cut::kFixed}) {
      for (const std::string& text : {random.text(size), words(size, size)}) {
        put_objects.emplace_back(put(*domain, text, cut), text);
      }
    }
  }
  ASSERT_TRUE(domain->sync().ok());
  for (const int round : {0, 1}) {
    for (const auto& [ref, text] : put_objects) {
      EXPECT_EQ(ref.size_bytes, text.size());
      const auto read = domain->read_all(ref);
      ASSERT_TRUE(read.ok()) << read.error().text();
      EXPECT_TRUE(*read == text) << "round " << round << " size " << text.size();
      EXPECT_TRUE(domain->verify(ref).ok());
    }
    domain.reset();
    domain = open_in(folder / "d");
  }
}

TEST(Domain, ReadsAtAnyPlace) {
  const tests::TempFolder folder;
  const auto domain = open_in(folder / "d");
  const uint64_t seed = 77;
  tests::FixedRandom random(seed);
  for (const std::string& text : {random.text(5'000'000), words(3'000'000, 5)}) {
    const auto reader = domain->open_object(put(*domain, text));
    ASSERT_TRUE(reader.ok());
    for (int i = 0; i < 300; ++i) {
      const uint64_t offset = random.below(text.size() + 10);
      std::string buffer(random.below(i % 10 == 0 ? 3'000'000 : 40'000), '\0');
      const auto got = reader->read_at(offset, std::as_writable_bytes(std::span(buffer)));
      ASSERT_TRUE(got.ok()) << got.error().text();
      const std::string expected =
          offset < text.size() ? text.substr(offset, buffer.size()) : std::string();
      ASSERT_EQ(*got, expected.size());
      ASSERT_TRUE(buffer.substr(0, *got) == expected) << "seed " << seed << " at " << offset;
    }
  }
}

TEST(Domain, StoresEqualBytesOnceAndCutsByContent) {
  const tests::TempFolder folder;
  const auto domain = open_in(folder / "d");
  const std::string text = words(6'000'000, 3);
  const ObjectRef first = put(*domain, text);
  const uint64_t before = domain->counts().stored_bytes;
  EXPECT_EQ(put(*domain, text), first);
  EXPECT_EQ(domain->counts().stored_bytes, before);
  // A word at the front moves everything, and costs a chunk or two and a recipe.
  put(*domain, "inserted " + text);
  EXPECT_LT(domain->counts().stored_bytes - before, 900'000u);
  EXPECT_LT(before, 3'500'000u);  // it was compressed
}

TEST(Domain, TakesAnObjectInPiecesOfAnySize) {
  const tests::TempFolder folder;
  const auto domain = open_in(folder / "d");
  const std::string text = words(2'500'000, 8);
  const ObjectRef whole = put(*domain, text);
  tests::FixedRandom random(5);
  ObjectWriter writer = domain->begin();
  for (size_t at = 0; at < text.size();) {
    const size_t size = std::min<size_t>(random.below(100'000), text.size() - at);
    ASSERT_TRUE(writer.write(base::as_bytes(std::string_view(text).substr(at, size))).ok());
    at += size;
  }
  const auto ref = writer.finish();
  ASSERT_TRUE(ref.ok());
  EXPECT_EQ(*ref, whole);
  EXPECT_EQ(writer.finish().error().code, Code::kFailedPrecondition);
  EXPECT_EQ(writer.write(base::as_bytes("x")).error().code, Code::kFailedPrecondition);
}

TEST(Domain, JoinsObjectsWithoutReadingThem) {
  const tests::TempFolder folder;
  tests::FaultyFileOps files(base::posix_file_ops());
  const auto domain = open_in(folder / "d", files);
  tests::FixedRandom random(6);
  const std::string a = random.text(5'000'000), b = "small", c = random.text(9'000'000);
  const ObjectRef ra = put(*domain, a), rb = put(*domain, b), rc = put(*domain, c);
  const uint64_t before = domain->counts().stored_bytes;
  const auto joined = domain->concat({ra, put(*domain, ""), rb, rc});
  ASSERT_TRUE(joined.ok()) << joined.error().text();
  EXPECT_EQ(joined->size_bytes, a.size() + b.size() + c.size());
  EXPECT_LT(domain->counts().stored_bytes - before, 2000u);
  EXPECT_TRUE(*domain->read_all(*joined) == a + b + c);
  EXPECT_EQ(*domain->concat({rb}), rb);
  EXPECT_EQ(domain->concat({})->size_bytes, 0u);
  EXPECT_EQ(domain->concat({ra, ObjectRef{.id = {}, .size_bytes = 1}}).error().code,
            Code::kNotFound);
}

TEST(Domain, NestsRecipesOfVeryLongObjects) {
  const tests::TempFolder folder;
  const auto domain = open_in(folder / "d");
  std::vector<ObjectRef> refs(300, put(*domain, "0123456789"));
  const auto hundreds = domain->concat(refs);
  refs.assign(300, *hundreds);
  const auto object = domain->concat(refs);  // 90,000 chunks: more than one recipe holds
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object->size_bytes, 900'000u);
  size_t recipes = 0, chunks = 0;
  ASSERT_TRUE(
      domain->chunks_of(*object, [&](const ChunkUse& u) { ++(u.is_recipe ? recipes : chunks); })
          .ok());
  EXPECT_EQ(recipes, 3u);
  EXPECT_EQ(chunks, 90'000u);
  const auto reader = domain->open_object(*object);
  std::string buffer(25, '\0');
  ASSERT_TRUE(reader->read_at(655'355, std::as_writable_bytes(std::span(buffer))).ok());
  EXPECT_EQ(buffer, "5678901234567890123456789");
}

TEST(Domain, RefusesReferencesThatSayOtherThanWhatIsStored) {
  const tests::TempFolder folder;
  const auto domain = open_in(folder / "d");
  tests::FixedRandom random(4);
  const ObjectRef single = put(*domain, "abc"), recipe = put(*domain, random.text(9'000'000));
  ObjectRef wrong = single;
  wrong.size_bytes = 4;
  EXPECT_EQ(domain->read_all(wrong).error().code, Code::kDataLoss);
  wrong = recipe;
  --wrong.size_bytes;
  EXPECT_EQ(domain->read_all(wrong).error().code, Code::kDataLoss);
  wrong = recipe;
  wrong.kind = ObjectKind::kSingle;
  EXPECT_EQ(domain->open_object(wrong).error().code, Code::kNotFound);
  wrong = single;
  wrong.kind = ObjectKind::kRecipe;
  EXPECT_EQ(domain->open_object(wrong).error().code, Code::kNotFound);
  EXPECT_EQ(domain->read_all(recipe, 100).error().code, Code::kResourceExhausted);
}

TEST(Domain, WritesNoPlaintextAndNothingAnotherKeyCanRead) {
  const tests::TempFolder folder;
  const std::string canary = "a canary that must not be found";
  ObjectRef ref;
  {
    const auto domain = open_in(folder / "d");
    ref = put(*domain, canary);
    put(*domain, canary + std::string(100'000, ' '));
  }
  for (const auto& file : std::filesystem::directory_iterator(folder / "d")) {
    const auto bytes = base::read_file(base::posix_file_ops(), file.path().string());
    EXPECT_EQ(bytes->find("canary"), std::string::npos);
  }
  const auto stranger = open_in(folder / "d", base::posix_file_ops(), key_of("films", 2));
  EXPECT_EQ(stranger->counts().damaged_segments, 1u);
  EXPECT_FALSE(stranger->read_all(ref).ok());
}

TEST(Domain, FinishesSegmentsAtTheirSize) {
  const tests::TempFolder folder;
  tests::FixedRandom random(9);
  const auto domain = open_in(folder / "d");
  for (int i = 0; i < 18; ++i) put(*domain, random.text(4u << 20), Cut::kFixed);
  EXPECT_EQ(count_files(folder / "d", ".seg"), 2u);
  EXPECT_EQ(count_files(folder / "d", ".open"), 1u);
  ASSERT_TRUE(domain->finish_segment().ok());
  EXPECT_EQ(count_files(folder / "d", ".seg"), 3u);
  EXPECT_EQ(count_files(folder / "d", ".open"), 0u);
}

TEST(Domain, SyncsManyObjectsOnce) {
  const tests::TempFolder folder;
  tests::FaultyFileOps files(base::posix_file_ops());
  const auto domain = open_in(folder / "d", files);
  for (int i = 0; i < 100; ++i) put(*domain, "object " + std::to_string(i));
  const int before = files.count();
  ASSERT_TRUE(domain->sync().ok());
  ASSERT_TRUE(domain->sync().ok());
  EXPECT_EQ(files.count(), before + 1);
  EXPECT_TRUE(files.calls().back().starts_with("sync "));
}

TEST(Domain, ServesManyThreadsAtOnce) {
  const tests::TempFolder folder;
  const auto domain = open_in(folder / "d");
  const std::string media = tests::FixedRandom(1).text(9'000'000);
  const ObjectRef shared = put(*domain, media);
  const auto reader = domain->open_object(shared);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      tests::FixedRandom random(t);
      for (int i = 0; i < 40; ++i) {
        const std::string text = random.text(random.below(400'000));
        const auto ref = domain->put(base::as_bytes(text));
        if (!ref.ok() || !domain->sync().ok()) ++wrong;
        if (static_cast<uint64_t>(i) % 10 == t && !domain->finish_segment().ok()) ++wrong;
        if (static_cast<uint64_t>(i) % 10 == t && !domain->rescan().ok()) ++wrong;
        const auto read =
            ref.ok() ? domain->read_all(*ref) : base::Result<std::string>(ref.error());
        if (!read.ok() || *read != text) ++wrong;
        std::string piece(10'000, '\0');
        const uint64_t at = random.below(media.size() - piece.size());
        const auto got = reader->read_at(at, std::as_writable_bytes(std::span(piece)));
        if (!got.ok() || piece != media.substr(at, piece.size())) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  const DomainCounts counts = domain->counts();
  ASSERT_TRUE(domain->rescan().ok());
  EXPECT_EQ(domain->counts().segments, counts.segments);
}

TEST(Domain, RecoversWhatACrashLeftOpen) {
  const tests::TempFolder folder;
  ObjectRef first, second;
  {
    tests::FaultyFileOps files(base::posix_file_ops());
    const auto domain = open_in(folder / "d", files);
    first = put(*domain, "first");
    second = put(*domain, "second");
    ASSERT_TRUE(domain->sync().ok());
    files.lose_power_at(files.count() + 1);
    EXPECT_FALSE(domain->put(base::as_bytes("torn in the middle")).ok());
  }
  ASSERT_EQ(count_files(folder / "d", ".open"), 1u);
  const auto domain = open_in(folder / "d");
  EXPECT_EQ(count_files(folder / "d", ".open"), 0u);
  EXPECT_EQ(count_files(folder / "d", ".seg"), 1u);
  EXPECT_EQ(*domain->read_all(first), "first");
  EXPECT_EQ(*domain->read_all(second), "second");
  EXPECT_EQ(domain->counts().chunks, 2u);
}

TEST(Domain, TakesNothingMoreAfterASyncFailed) {
  const tests::TempFolder folder;
  tests::FaultyFileOps files(base::posix_file_ops());
  const auto domain = open_in(folder / "d", files);
  const ObjectRef durable = put(*domain, "durable");
  ASSERT_TRUE(domain->sync().ok());
  const ObjectRef lost = put(*domain, "lost");
  files.fail_at(files.count() + 1, {Code::kDataLoss, "The disk says EIO."});
  EXPECT_EQ(domain->sync().error().code, Code::kDataLoss);
  EXPECT_TRUE(domain->is_degraded());
  const int before = files.count();
  EXPECT_EQ(domain->sync().error().code, Code::kUnavailable);
  EXPECT_EQ(domain->put(base::as_bytes("x")).error().code, Code::kUnavailable);
  EXPECT_EQ(domain->finish_segment().error().code, Code::kUnavailable);
  for (int i = before; i < files.count(); ++i) {
    EXPECT_FALSE(files.calls()[static_cast<size_t>(i)].starts_with("sync ")) << "synced again";
  }
  EXPECT_EQ(*domain->read_all(durable), "durable");
  EXPECT_EQ(domain->read_all(lost).error().code, Code::kNotFound);
}

TEST(Domain, GoesOnAfterTheDiskWasFull) {
  const tests::TempFolder folder;
  tests::FaultyFileOps files(base::posix_file_ops());
  const auto domain = open_in(folder / "d", files);
  const ObjectRef before = put(*domain, "before");
  files.fail_at(files.count() + 1);
  EXPECT_EQ(domain->put(base::as_bytes("no room")).error().code, Code::kResourceExhausted);
  EXPECT_FALSE(domain->is_degraded());
  const ObjectRef after = put(*domain, "after");
  ASSERT_TRUE(domain->sync().ok());
  EXPECT_EQ(*domain->read_all(before), "before");
  EXPECT_EQ(*domain->read_all(after), "after");
}

TEST(Domain, AdoptsWhatAWorkerSealed) {
  const tests::TempFolder folder;
  const auto server = open_in(folder / "server");
  const ObjectRef input = put(*server, "input");
  ASSERT_TRUE(server->finish_segment().ok());
  const base::Bytes sent = key_of().serialise();
  ObjectRef output;
  {
    auto worker = Domain::open(base::posix_file_ops(), base::system_random(), base::system_clock(),
                               *DomainKey::parse(sent), {folder / "task", {folder / "server"}});
    ASSERT_TRUE(worker.ok());
    EXPECT_EQ(*(*worker)->read_all(input), "input");
    output = put(**worker, "output");
    ASSERT_TRUE((*worker)->finish_segment().ok());
    const ObjectRef later = put(*server, "later");  // finished while the worker runs
    ASSERT_TRUE(server->finish_segment().ok());
    EXPECT_EQ(*(*worker)->read_all(later), "later");
  }
  std::string made;
  for (const auto& file : std::filesystem::directory_iterator(folder / "task")) made = file.path();
  EXPECT_EQ(server->read_all(output).error().code, Code::kNotFound);
  ASSERT_TRUE(server->adopt(made).ok());
  ASSERT_TRUE(server->adopt(made).ok()) << "a second time is a repetition";
  EXPECT_EQ(*server->read_all(output), "output");
  EXPECT_FALSE(std::filesystem::exists(made));
  EXPECT_EQ(open_in(folder / "server2")->counts().segments, 0u);
}

TEST(Domain, RefusesSegmentsOfOthersAndDamagedOnes) {
  const tests::TempFolder folder;
  const auto server = open_in(folder / "server");
  const auto made_by = [&](const DomainKey& key, const std::string& name) {
    const auto domain = open_in(folder / name, base::posix_file_ops(), key);
    put(*domain, "bytes");
    EXPECT_TRUE(domain->finish_segment().ok());
    return std::filesystem::directory_iterator(folder / name)->path().string();
  };
  EXPECT_EQ(server->adopt(made_by(key_of("other"), "a")).error().code, Code::kPermissionDenied);
  EXPECT_EQ(server->adopt(made_by(key_of("films", 2), "b")).error().code, Code::kDataLoss);
  const std::string good = made_by(key_of(), "c");
  std::filesystem::resize_file(good, std::filesystem::file_size(good) - 1);
  EXPECT_EQ(server->adopt(good).error().code, Code::kDataLoss);
  EXPECT_EQ(server->adopt(folder / "c/passwd").error().code, Code::kInvalidArgument);
  EXPECT_EQ(server->adopt(folder / "c/" + std::string(32, '0') + ".seg").error().code,
            Code::kNotFound);
}

TEST(Domain, ReadsUndamagedChunksOfADamagedSegment) {
  const tests::TempFolder folder;
  ObjectRef first, second;
  {
    const auto domain = open_in(folder / "d");
    first = put(*domain, "first");
    second = put(*domain, "second");
  }
  const std::string path = std::filesystem::directory_iterator(folder / "d")->path();
  std::string bytes = *base::read_file(base::posix_file_ops(), path);
  bytes[bytes.size() - 1] ^= 1;                                      // the trailer
  bytes[kSegmentHeaderSize + kRecordHeadSize + kSealHeadSize] ^= 1;  // the first frame
  ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), path, bytes).ok());
  const auto domain = open_in(folder / "d");
  EXPECT_EQ(domain->counts().damaged_segments, 1u);
  EXPECT_EQ(domain->read_all(first).error().code, Code::kNotFound);
  EXPECT_EQ(*domain->read_all(second), "second");
  EXPECT_EQ(put(*domain, "first"), first) << "what is damaged can be stored again";
  EXPECT_EQ(*domain->read_all(first), "first");
}

}  // namespace
}  // namespace mortise::store
