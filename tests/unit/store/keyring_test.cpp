#include "store/keyring.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "store/store.h"
#include "tests/support/faulty_file_ops.h"
#include "tests/support/temp_folder.h"
#include "tests/support/volatile_file_ops.h"

namespace mortise::store {
namespace {

using base::Code;
using base::posix_file_ops;
using base::system_clock;
using base::system_random;

std::unique_ptr<Keyring> open_ring(const std::string& folder,
                                   base::FileOps& files = posix_file_ops()) {
  auto root = open_file_root_key(files, system_random(), folder);
  EXPECT_TRUE(root.ok()) << root.error().text();
  auto ring = Keyring::open(files, system_random(), system_clock(), folder);
  EXPECT_TRUE(ring.ok()) << ring.error().text();
  const auto unlocked = (*ring)->unlock(std::move(*root));
  EXPECT_TRUE(unlocked.ok()) << unlocked.error().text();
  return std::move(*ring);
}

bool is_same(const DomainKey& a, const DomainKey& b) {
  return base::equal_constant_time(a.data_key().bytes(), b.data_key().bytes());
}

TEST(Keyring, KeepsKeysOverARestart) {
  const tests::TempFolder folder;
  const auto key = open_ring(folder / "keys")->create("films");
  ASSERT_TRUE(key.ok());
  const auto ring = open_ring(folder / "keys");
  EXPECT_TRUE(is_same(*ring->get("films"), *key));
  EXPECT_EQ(ring->create("films").error().code, Code::kAlreadyExists);
  EXPECT_EQ(ring->get("other").error().code, Code::kNotFound);
  EXPECT_EQ(ring->create("../x").error().code, Code::kInvalidArgument);
  EXPECT_EQ(*ring->list(), std::vector<std::string>{"films"});
}

TEST(Keyring, MakesARootKeyThatOnlyItsOwnerReads) {
  const tests::TempFolder folder;
  open_ring(folder / "keys");
  struct stat facts {};
  ASSERT_EQ(::stat((folder / "keys/root.key").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0400u);
  EXPECT_EQ(facts.st_size, 32);
  ASSERT_EQ(::chmod((folder / "keys/root.key").c_str(), 0440), 0);
  EXPECT_EQ(open_file_root_key(posix_file_ops(), system_random(), folder / "keys").error().code,
            Code::kFailedPrecondition);
}

TEST(Keyring, DoesNotBeginAnewWhenTheRootKeyIsMissing) {
  const tests::TempFolder folder;
  open_ring(folder / "keys");
  ASSERT_TRUE(posix_file_ops().remove(folder / "keys/root.key").ok());
  EXPECT_EQ(open_file_root_key(posix_file_ops(), system_random(), folder / "keys").error().code,
            Code::kNotFound);
}

TEST(Keyring, OpensLockedAndUnlocksByPassphrase) {
  const tests::TempFolder folder;
  const base::ScryptCost cheap{.n = 1024, .r = 8, .p = 1};
  const auto unlock = [&](Keyring& ring, std::string_view passphrase) -> base::Status {
    MORTISE_ASSIGN(auto root, open_passphrase_root_key(posix_file_ops(), system_random(),
                                                       folder / "keys", passphrase, cheap));
    return ring.unlock(std::move(root));
  };
  auto ring =
      Keyring::open(posix_file_ops(), system_random(), system_clock(), folder / "keys").value();
  EXPECT_EQ(ring->create("films").error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(unlock(*ring, "correct horse").ok());
  ASSERT_TRUE(ring->create("films").ok());

  ring = Keyring::open(posix_file_ops(), system_random(), system_clock(), folder / "keys").value();
  EXPECT_EQ(ring->get("films").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(unlock(*ring, "correct house").error().code, Code::kUnauthenticated);
  EXPECT_FALSE(ring->is_unlocked());
  ASSERT_TRUE(unlock(*ring, "correct horse").ok());
  EXPECT_TRUE(ring->get("films").ok());
}

TEST(Keyring, RotatesAndRemovesTheOldKey) {
  const tests::TempFolder folder;
  auto ring = open_ring(folder / "keys");
  const auto key = ring->create("films");
  ASSERT_TRUE(ring->create("books").ok());
  const auto facts = ring->rotate();
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->kek_version, 2u);
  EXPECT_EQ(facts->rewrapped, 2u);
  EXPECT_EQ(facts->keks_removed, 1u);
  EXPECT_FALSE(*posix_file_ops().exists(folder / "keys/kek/00000001.key"));
  EXPECT_TRUE(is_same(*open_ring(folder / "keys")->get("films"), *key));
}

TEST(Keyring, KeepsTheOldKeyWhileADamagedFileNamesIt) {
  const tests::TempFolder folder;
  auto ring = open_ring(folder / "keys");
  ASSERT_TRUE(ring->create("films").ok());
  const std::string path = folder / "keys/domains/films.key";
  const std::string good = *base::read_file(posix_file_ops(), path);
  std::string bad = good;
  bad[50] = static_cast<char>(bad[50] ^ 1);
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), path, bad).ok());
  EXPECT_EQ(ring->get("films").error().code, Code::kDataLoss);
  EXPECT_EQ(ring->rotate()->unreadable, 1u);
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), path, good).ok());
  EXPECT_TRUE(ring->get("films").ok());
  EXPECT_EQ(ring->rotate()->keks_removed, 1u);
}

TEST(Keyring, ShredsByOverwritingBeforeItRemoves) {
  tests::VolatileFileOps disk;
  tests::FaultyFileOps files(disk);
  const auto ring = open_ring("/keys", files);
  const auto key = ring->create("films");
  const int before = files.count();
  const auto facts = ring->shred("films");
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->key_id, key->key_id());
  EXPECT_GT(facts->shredded_at_ns, 0);
  std::string order;
  for (size_t i = static_cast<size_t>(before); i < files.calls().size(); ++i) {
    order += files.calls()[i].substr(0, files.calls()[i].find(' ')) + " ";
  }
  EXPECT_NE(order.find("write sync close remove sync_folder"), std::string::npos) << order;
  EXPECT_EQ(ring->get("films").error().code, Code::kNotFound);
  EXPECT_EQ(ring->shred("films").error().code, Code::kNotFound);
}

TEST(Keyring, ShredsTheCopyInABackupWithoutAnyKey) {
  const tests::TempFolder folder;
  ASSERT_TRUE(open_ring(folder / "keys")->create("films").ok());
  const auto locked =
      Keyring::open(posix_file_ops(), system_random(), system_clock(), folder / "keys");
  const auto facts = (*locked)->shred("films");
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->key_id, "");
  EXPECT_EQ(open_ring(folder / "keys")->get("films").error().code, Code::kNotFound);
}

TEST(Store, ShreddedDataStayUnreadableWithAFullCopyOfTheSegments) {
  tests::VolatileFileOps disk;
  ObjectRef ref;
  const auto ring = open_ring("/keys", disk);
  auto store = Store::open(disk, system_random(), system_clock(), "/store", *ring).value();
  ref = *(*store->create_domain("films"))->put(base::as_bytes("secret rows"));
  ASSERT_TRUE((*store->domain("films"))->finish_segment().ok());
  tests::VolatileFileOps copy = disk;  // of all segments, but keys that come later
  const auto facts = store->shred("films");
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->segments, 1u);
  EXPECT_EQ(facts->chunks, 1u);
  EXPECT_FALSE(*disk.exists("/store/segments/films"));
  EXPECT_EQ(store->domain("films").error().code, Code::kNotFound);
  const auto again = ring->create("films");  // the name again, another key
  const auto stranger =
      Domain::open(copy, system_random(), system_clock(), *again, {"/store/segments/films", {}});
  EXPECT_FALSE((*stranger)->read_all(ref).ok());
}

TEST(Store, GivesOneHandleToAllWhoAsk) {
  tests::VolatileFileOps disk;
  const auto ring = open_ring("/keys", disk);
  const auto store = Store::open(disk, system_random(), system_clock(), "/store", *ring).value();
  const auto held = *store->create_domain("held");
  const auto ref = held->put(base::as_bytes("x"));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(store->create_domain("d" + std::to_string(i)).ok());
  EXPECT_EQ(*store->domain("held"), held);
  store->close_idle();
  EXPECT_EQ(*store->domain("held"), held);
  EXPECT_EQ(*held->read_all(*ref), "x");
}

TEST(Store, RefusesANetworkFileSystem) {
  class Network final : public base::FileOps {
   public:
    explicit Network(base::FileOps& inner) : inner_(inner) {}
    base::Result<std::unique_ptr<base::File>> open(const std::string& p,
                                                   base::OpenMode m) override {
      return inner_.open(p, m);
    }
    base::Status rename(const std::string& a, const std::string& b) override {
      return inner_.rename(a, b);
    }
    base::Status link(const std::string& a, const std::string& b) override {
      return inner_.link(a, b);
    }
    base::Status remove(const std::string& p) override { return inner_.remove(p); }
    base::Status make_folder(const std::string& p) override { return inner_.make_folder(p); }
    base::Status sync_folder(const std::string& p) override { return inner_.sync_folder(p); }
    base::Result<std::vector<base::FileInfo>> list(const std::string& p) override {
      return inner_.list(p);
    }
    base::Result<bool> exists(const std::string& p) override { return inner_.exists(p); }
    base::Result<bool> is_network(const std::string&) override { return true; }

   private:
    base::FileOps& inner_;
  };
  tests::VolatileFileOps disk;
  Network network(disk);
  const auto ring = open_ring("/keys", disk);
  const auto refused = Store::open(network, system_random(), system_clock(), "/store", *ring);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_NE(refused.error().text().find("local disk"), std::string::npos);
  EXPECT_EQ(Keyring::open(network, system_random(), system_clock(), "/keys").error().code,
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace mortise::store
