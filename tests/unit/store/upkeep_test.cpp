#include "store/upkeep.h"

#include <gtest/gtest.h>

#include <set>

#include "store/backup.h"
#include "store/segment.h"
#include "tests/support/volatile_file_ops.h"
#include "tests/unit/store/store_scenario.h"

namespace mortise::store {
namespace {

using base::Code;
using base::system_clock;

struct Scene {
  Scene() {
    const auto prepared = prepare(disk, ledger);
    EXPECT_TRUE(prepared.ok());
    all = open_all(disk, random).value();
    a = *all.store->domain("a");
  }
  std::function<bool(const ChunkId&)> all_but(std::set<size_t> dead) {
    std::set<ChunkId> live;
    for (size_t i = 0; i < ledger.objects.size(); ++i) {
      if (!dead.contains(i)) live.insert(ledger.objects[i].ref.id);
    }
    return [live](const ChunkId& id) { return live.contains(id); };
  }
  std::string segment_of_a() const {
    for (const std::string& path : disk.paths()) {
      if (path.find("/segments/a/") != std::string::npos) return path;
    }
    return {};
  }

  tests::VolatileFileOps disk;
  tests::FixedRandom random{8};
  Ledger ledger;
  Opened all;
  std::shared_ptr<Domain> a;
};

const CompactOptions kNow{.dead_share_max = 0.3, .grace_ns = 0};

TEST(Compact, KeepsTheLivingAndDropsTheDead) {
  Scene scene;
  const auto facts =
      compact(*scene.a, closed_segments(*scene.a), scene.all_but({0, 1, 2, 4, 5, 6, 7}), kNow);
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts->segments_removed, 2u);
  EXPECT_EQ(facts->segments_rewritten, 1u);
  EXPECT_EQ(facts->chunks_kept, 1u);
  EXPECT_EQ(facts->chunks_dropped, 7u);
  EXPECT_GT(facts->bytes_freed, 1000u);
  for (size_t i = 0; i < scene.ledger.objects.size(); ++i) {
    const auto& object = scene.ledger.objects[i];
    if (object.domain_id != "a") continue;
    const auto text = scene.a->read_all(object.ref);
    if (i == 3 || i > 7) {
      EXPECT_EQ(*text, object.text);
    } else {
      EXPECT_EQ(text.error().code, Code::kNotFound) << i;
    }
  }
}

TEST(Compact, LeavesYoungSegmentsAndThoseThatAnsweredAPut) {
  Scene scene;
  const auto nothing_lives = [](const ChunkId&) { return false; };
  // The disk of this test has no times; only what answered a put is young.
  ASSERT_TRUE(scene.a->put(base::as_bytes(scene.ledger.objects[0].text)).ok());
  const auto facts =
      compact(*scene.a, closed_segments(*scene.a), nothing_lives, {.dead_share_max = 0.3});
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->segments_young, 1u);
  EXPECT_EQ(facts->segments_removed, 2u);
  EXPECT_EQ(*scene.a->read_all(scene.ledger.objects[0].ref), scene.ledger.objects[0].text);
}

// What is stored after the segments were noted is no business of the compaction, however old the
// segment is that answers the put, and however small the grace.
TEST(Compact, LeavesWhatIsStoredAfterTheSegmentsWereNoted) {
  Scene scene;
  const auto nothing_lives = [](const ChunkId&) { return false; };
  const ClosedSegments closed = closed_segments(*scene.a);
  const auto repeated = scene.a->put(base::as_bytes(scene.ledger.objects[0].text));
  const auto fresh = scene.a->put(base::as_bytes("stored meanwhile"));
  ASSERT_TRUE(repeated.ok() && fresh.ok() && scene.a->finish_segment().ok());
  const auto facts = compact(*scene.a, closed, nothing_lives, kNow);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->segments_removed, 2u) << "of three";
  EXPECT_EQ(*scene.a->read_all(*repeated), scene.ledger.objects[0].text);
  EXPECT_EQ(*scene.a->read_all(*fresh), "stored meanwhile");
}

TEST(Compact, RemovesNothingWhenItMayNot) {
  Scene scene;
  const auto nothing_lives = [](const ChunkId&) { return false; };
  const uint64_t before = scene.a->counts().segments;
  const auto facts =
      compact(*scene.a, closed_segments(*scene.a), nothing_lives,
              {.dead_share_max = 0.3, .grace_ns = 0, .may_remove = [] { return false; }});
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->segments_removed, 0u);
  EXPECT_EQ(scene.a->counts().segments, before);
  EXPECT_EQ(*scene.a->read_all(scene.ledger.objects[0].ref), scene.ledger.objects[0].text);
}

TEST(Compact, LeavesASegmentWhoseLivingRecordIsDamaged) {
  Scene scene;
  const std::string path = scene.segment_of_a();
  scene.disk.bytes(path)[kSegmentHeaderSize + kRecordHeadSize + kSealHeadSize] ^= 1;
  size_t asked = 0;
  const auto facts = compact(
      *scene.a, closed_segments(*scene.a), [&](const ChunkId&) { return asked++ % 2 == 0; }, kNow);
  ASSERT_TRUE(facts.ok());
  EXPECT_LE(facts->segments_damaged, 1u);
  EXPECT_EQ(facts->segments_removed + facts->segments_damaged, 3u);
}

TEST(Scrub, ReadsEverythingInPieces) {
  Scene scene;
  std::string cursor;
  uint64_t chunks = 0;
  int calls = 0;
  do {
    const auto report = scrub(*scene.a, cursor, {.bytes_max = 500});
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->findings.empty());
    chunks += report->chunks_ok;
    cursor = report->cursor;
    ++calls;
  } while (!cursor.empty());
  EXPECT_EQ(chunks, 12u);
  EXPECT_GT(calls, 5);
  EXPECT_EQ(scrub(*scene.a, "nonsense").error().code, Code::kInvalidArgument);
}

TEST(Scrub, NamesWhatIsDamagedAndLetsItBeStoredAgain) {
  Scene scene;
  const std::string path = scene.segment_of_a();
  const uint64_t at = kSegmentHeaderSize + kRecordHeadSize + kSealHeadSize + 5;
  scene.disk.bytes(path)[at] ^= 1;
  const auto report = scrub(*scene.a, "");
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->findings.size(), 1u);
  const ScrubFinding& finding = report->findings[0];
  EXPECT_EQ(finding.byte_offset, kSegmentHeaderSize);
  EXPECT_FALSE(finding.is_missing);
  EXPECT_EQ(report->chunks_ok, 11u);
  for (const auto& object : scene.ledger.objects) {
    if (object.ref.id != finding.chunk) continue;
    EXPECT_FALSE(scene.a->read_all(object.ref).ok());
    ASSERT_TRUE(scene.a->put(base::as_bytes(object.text)).ok());
    EXPECT_EQ(*scene.a->read_all(object.ref), object.text);
  }
}

TEST(Scrub, SaysThatASegmentIsMissing) {
  Scene scene;
  ASSERT_TRUE(scene.disk.remove(scene.segment_of_a()).ok());
  const auto report = scrub(*scene.a, "");
  ASSERT_EQ(report->findings.size(), 1u);
  EXPECT_TRUE(report->findings[0].is_missing);
  EXPECT_EQ(report->chunks_ok, 8u);
}

TEST(Scrub, KeepsItsRate) {
  class StillClock final : public base::Clock {
   public:
    int64_t now_ns() override { return ns; }
    int64_t monotonic_ns() override { return ns; }
    void sleep_ms(int64_t ms) override { ns += ms * 1'000'000; }
    int64_t ns = 0;
  } clock;
  Scene scene;
  scene.all.store->close_idle();
  const auto key = scene.all.keyring->get("a");
  const auto domain =
      Domain::open(scene.disk, scene.random, clock, *key, {{}, {kHome + "/segments/a"}});
  const auto report = scrub(**domain, "", {.bytes_max = UINT64_MAX, .bytes_per_second = 1000});
  EXPECT_NEAR(static_cast<double>(clock.ns) / 1e9, static_cast<double>(report->bytes_read) / 1000,
              0.1);
}

TEST(Backup, CopiesOnlyWhatIsNewAndRestores) {
  Scene scene;
  const auto first = backup(scene.disk, *scene.all.store, "/backup");
  ASSERT_TRUE(first.ok()) << first.error().text();
  EXPECT_EQ(first->domains, 2u);
  EXPECT_EQ(first->segments_copied, 4u);
  const auto ref = scene.a->put(base::as_bytes("new since the backup"));
  const auto second = backup(scene.disk, *scene.all.store, "/backup");
  EXPECT_EQ(second->segments_copied, 1u);
  EXPECT_EQ(second->segments_kept, 4u);
  EXPECT_FALSE(*scene.disk.exists("/backup/keys/root.key"));
  const std::string root = *base::read_file(scene.disk, kHome + "/keys/root.key");
  const auto restored = restore(scene.disk, "/backup", "/new", "/new/keys");
  ASSERT_TRUE(restored.ok()) << restored.error().text();
  ASSERT_TRUE(base::write_file_durably(scene.disk, "/new/keys/root.key", root).ok());
  const auto all = open_all(scene.disk, scene.random, "/new");
  ASSERT_TRUE(all.ok()) << all.error().text();
  EXPECT_TRUE(check_objects(*all->store, scene.ledger).ok());
  EXPECT_EQ(*(*all->store->domain("a"))->read_all(*ref), "new since the backup");
  EXPECT_EQ(restore(scene.disk, "/backup", "/new", "/new/keys").error().code, Code::kAlreadyExists);
}

// Passes every call on, and calls `before` first when a file of this ending is opened.
class Watched final : public base::FileOps {
 public:
  Watched(base::FileOps& inner, std::function<void()> before)
      : inner_(inner), before_(std::move(before)) {}
  base::Result<std::unique_ptr<base::File>> open(const std::string& path,
                                                 base::OpenMode mode) override {
    if (path.ends_with(".seg") && before_) std::exchange(before_, nullptr)();
    return inner_.open(path, mode);
  }
  base::Status rename(const std::string& from, const std::string& to) override {
    return inner_.rename(from, to);
  }
  base::Status link(const std::string& from, const std::string& to) override {
    return inner_.link(from, to);
  }
  base::Status remove(const std::string& path) override { return inner_.remove(path); }
  base::Status make_folder(const std::string& path) override { return inner_.make_folder(path); }
  base::Status sync_folder(const std::string& path) override { return inner_.sync_folder(path); }
  base::Result<std::vector<base::FileInfo>> list(const std::string& path) override {
    return inner_.list(path);
  }
  base::Result<bool> exists(const std::string& path) override { return inner_.exists(path); }
  base::Result<bool> is_network(const std::string& path) override {
    return inner_.is_network(path);
  }

 private:
  base::FileOps& inner_;
  std::function<void()> before_;
};

TEST(Backup, FindsWhatIsCompactedWhileItCopies) {
  Scene scene;
  std::set<ChunkId> live;
  std::vector<Ledger::Object> kept;
  for (size_t i = 0; i < scene.ledger.objects.size(); ++i) {
    if (scene.ledger.objects[i].domain_id == "a" && i % 2 == 0) continue;
    live.insert(scene.ledger.objects[i].ref.id);
    kept.push_back(scene.ledger.objects[i]);
  }
  scene.ledger.objects = kept;
  uint64_t removed = 0;
  Watched files(scene.disk, [&] {
    removed = compact(*scene.a, closed_segments(*scene.a),
                      [&](const ChunkId& id) { return live.contains(id); },
                      {.dead_share_max = 0.01, .grace_ns = 0})
                  ->segments_removed;
  });

  const auto facts = backup(files, *scene.all.store, "/backup");

  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(removed, 3u);
  EXPECT_EQ(facts->segments_copied, 2u);
  const std::string root = *base::read_file(scene.disk, kHome + "/keys/root.key");
  ASSERT_TRUE(restore(scene.disk, "/backup", "/new", "/new/keys").ok());
  ASSERT_TRUE(base::write_file_durably(scene.disk, "/new/keys/root.key", root).ok());
  const auto all = open_all(scene.disk, scene.random, "/new");
  EXPECT_TRUE(check_objects(*all->store, scene.ledger).ok());
}

}  // namespace
}  // namespace mortise::store
