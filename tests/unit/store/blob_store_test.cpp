#include "store/blob_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/faulty_file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::store {
namespace {

using base::posix_file_ops;
using base::system_random;

std::unique_ptr<BlobStore> open_in(const tests::TempFolder& folder,
                                   base::FileOps& files = posix_file_ops()) {
  auto store = BlobStore::open(files, system_random(), folder / "store");
  EXPECT_TRUE(store.ok());
  return store.ok() ? std::move(*store) : nullptr;
}

std::string content_of(BlobStore& store, const BlobRef& blob) {
  const auto path = store.path_of(blob);
  return path.ok() ? base::read_file(posix_file_ops(), *path).value() : path.error().text();
}

size_t count_temporary(const tests::TempFolder& folder) {
  return posix_file_ops().list(folder / "store/temporary")->size();
}

TEST(BlobStore, GivesBackWhatWasPutUnderItsSha256) {
  const tests::TempFolder folder;
  const auto store = open_in(folder);
  const auto blob = store->put(base::as_bytes("abc"));
  ASSERT_TRUE(blob.ok());
  EXPECT_EQ(blob->digest,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(blob->size_bytes, 3u);
  EXPECT_EQ(content_of(*store, *blob), "abc");
  EXPECT_TRUE(store->verify(*blob).ok());
  EXPECT_EQ(count_temporary(folder), 0u);
}

TEST(BlobStore, KeepsEqualBytesOnce) {
  const tests::TempFolder folder;
  const auto store = open_in(folder);
  const auto first = store->put(base::as_bytes("same"));
  const auto second = store->put(base::as_bytes("same"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->digest, second->digest);
  struct stat facts {};
  ASSERT_EQ(::stat(store->path_of(*first)->c_str(), &facts), 0);
  EXPECT_EQ(facts.st_nlink, 1u);
}

TEST(BlobStore, TakesABlobInPieces) {
  const tests::TempFolder folder;
  const auto store = open_in(folder);
  auto writer = store->begin();
  ASSERT_TRUE(writer.ok());
  for (const char* piece : {"a", "", "bc"}) ASSERT_TRUE(writer->write(base::as_bytes(piece)).ok());
  const auto blob = writer->commit();
  ASSERT_TRUE(blob.ok());
  EXPECT_EQ(content_of(*store, *blob), "abc");
  EXPECT_FALSE(writer->write(base::as_bytes("d")).ok());
  EXPECT_FALSE(writer->commit().ok());
}

TEST(BlobStore, ForgetsABlobThatIsNotCommitted) {
  const tests::TempFolder folder;
  const auto store = open_in(folder);
  {
    auto writer = store->begin();
    ASSERT_TRUE(writer->write(base::as_bytes("half")).ok());
  }
  EXPECT_EQ(count_temporary(folder), 0u);
}

TEST(BlobStore, SyncsBytesAndFolderBeforeItAcknowledges) {
  const tests::TempFolder folder;
  tests::FaultyFileOps files(posix_file_ops());
  const auto store = open_in(folder, files);
  const int before = files.count();
  ASSERT_TRUE(store->put(base::as_bytes("abc")).ok());
  std::string order;
  for (size_t i = static_cast<size_t>(before); i < files.calls().size(); ++i) {
    order += files.calls()[i].substr(0, files.calls()[i].find(' ')) + " ";
  }
  EXPECT_EQ(order, "open write sync close make_folder sync_folder link sync_folder remove ");
}

TEST(BlobStore, AcknowledgesOnlyWhatSurvivesAPowerCutAtAnyCall) {
  int acknowledged_count = 0;
  for (int n = 1;; ++n) {
    const tests::TempFolder folder;
    ASSERT_NE(open_in(folder), nullptr);
    tests::FaultyFileOps files(posix_file_ops());
    files.lose_power_at(n);
    base::Result<BlobRef> blob = base::Error(base::Code::kUnavailable, "");
    {
      auto store = BlobStore::open(files, system_random(), folder / "store");
      if (store.ok()) blob = (*store)->put(base::as_bytes("precious"));
    }
    files.lose_unsynced();
    const auto after = open_in(folder);
    ASSERT_NE(after, nullptr) << "cut at call " << n;
    EXPECT_EQ(count_temporary(folder), 0u);
    if (blob.ok()) {
      ++acknowledged_count;
      EXPECT_EQ(content_of(*after, *blob), "precious") << "cut at call " << n;
    }
    const auto again = after->put(base::as_bytes("precious"));
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(after->verify(*again).ok()) << "cut at call " << n;
    if (!files.was_hit()) break;
  }
  EXPECT_GE(acknowledged_count, 1);
}

TEST(BlobStore, FailsTheBlobWhenAnyCallFails) {
  for (int n = 1; n <= 8; ++n) {
    const tests::TempFolder folder;
    tests::FaultyFileOps files(posix_file_ops());
    const auto store = open_in(folder, files);
    files.fail_at(files.count() + n);
    EXPECT_FALSE(store->put(base::as_bytes("x")).ok()) << "call " << n;
    EXPECT_EQ(count_temporary(folder), 0u) << "call " << n;
    EXPECT_TRUE(store->put(base::as_bytes("x")).ok()) << "call " << n;
  }
}

TEST(BlobStore, RefusesWhatIsNoDigest) {
  const tests::TempFolder folder;
  const auto store = open_in(folder);
  for (const std::string& digest :
       {std::string(), std::string("sha256:../../etc/passwd"), "sha256:" + std::string(64, 'G'),
        "sha256:" + std::string(63, 'a'), "sha512:" + std::string(64, 'a')}) {
    EXPECT_EQ(store->path_of({digest, 1}).error().code, base::Code::kInvalidArgument) << digest;
  }
  EXPECT_EQ(store->path_of({"sha256:" + std::string(64, 'a'), 1}).error().code,
            base::Code::kNotFound);
}

TEST(BlobStore, SeesBytesThatChanged) {
  const tests::TempFolder folder;
  const auto store = open_in(folder);
  const auto blob = store->put(base::as_bytes("abc"));
  const std::string path = *store->path_of(*blob);
  {
    auto file = posix_file_ops().open(path, base::OpenMode::kTruncate);
    ASSERT_TRUE((*file)->write(base::as_bytes("abd")).ok());
  }
  EXPECT_EQ(store->verify(*blob).error().code, base::Code::kDataLoss);
  {
    auto file = posix_file_ops().open(path, base::OpenMode::kAppend);
    ASSERT_TRUE((*file)->write(base::as_bytes("!")).ok());
  }
  EXPECT_EQ(store->path_of(*blob).error().code, base::Code::kDataLoss);
}

TEST(BlobStore, CollectsOnlyWhatNobodyUses) {
  const tests::TempFolder folder;
  const auto store = open_in(folder);
  const auto used = store->put(base::as_bytes("used"));
  const auto loose = store->put(base::as_bytes("loose!"));
  const auto freed = store->collect([&](std::string_view d) { return d == used->digest; });
  ASSERT_TRUE(freed.ok());
  EXPECT_EQ(*freed, 6u);
  EXPECT_TRUE(store->path_of(*used).ok());
  EXPECT_EQ(store->path_of(*loose).error().code, base::Code::kNotFound);
}

TEST(BlobStore, AdoptsACopyThatTheWriterCannotChange) {
  const tests::TempFolder folder;
  const auto store = open_in(folder);
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), folder / "x", "rows").ok());
  const auto blob = store->adopt(folder / "x");
  ASSERT_TRUE(blob.ok());
  ASSERT_TRUE((*posix_file_ops().open(folder / "x", base::OpenMode::kTruncate))->sync().ok());
  EXPECT_EQ(content_of(*store, *blob), "rows");
}

}  // namespace
}  // namespace mortise::store
