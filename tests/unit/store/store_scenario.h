// What the campaigns do to a store: a start state, acts that are cut at any call, and the judgement
// of what is on the disk afterwards. Acts write down what was acknowledged; only that must be
// there.
#pragma once

#include <gtest/gtest.h>

#include <set>

#include "store/backup.h"
#include "store/upkeep.h"
#include "tests/support/fixed_random.h"

namespace mortise::store {

inline const std::string kHome = "/home";

struct Ledger {
  struct Object {
    std::string domain_id;
    ObjectRef ref;
    std::string text;
  };
  std::vector<Object> objects;      // acknowledged, or there from the start
  std::set<std::string> shredding;  // a shred began: may be gone
  std::set<std::string> shredded;   // acknowledged: must be gone
  bool has_backup = false;          // acknowledged
};

struct Opened {
  std::unique_ptr<Keyring> keyring;
  std::unique_ptr<Store> store;
};

inline base::Result<Opened> open_all(base::FileOps& files, base::Random& random,
                                     const std::string& home = kHome) {
  Opened opened;
  MORTISE_ASSIGN(opened.keyring,
                 Keyring::open(files, random, base::system_clock(), home + "/keys"));
  MORTISE_ASSIGN(auto root, open_file_root_key(files, random, home + "/keys"));
  MORTISE_TRY(opened.keyring->unlock(std::move(root)));
  MORTISE_ASSIGN(opened.store,
                 Store::open(files, random, base::system_clock(), home, *opened.keyring));
  return opened;
}

inline std::string text_of(const std::string& name, size_t size) {
  std::string text;
  while (text.size() < size) text += name + " " + std::to_string(text.size() * 7919 % 1000) + ", ";
  text.resize(size);
  return text;
}

// Two domains, "a" with three finished segments and an open one, "b" with one.
inline base::Status prepare(base::FileOps& files, Ledger& ledger) {
  tests::FixedRandom random(1);
  MORTISE_TRY(files.make_folder(kHome));
  MORTISE_ASSIGN(Opened all, open_all(files, random));
  for (const char* id : {"a", "b"}) {
    MORTISE_ASSIGN(const auto domain, all.store->create_domain(id));
    for (int segment = 0; segment < (id[0] == 'a' ? 3 : 1); ++segment) {
      for (int i = 0; i < 4; ++i) {
        const std::string text =
            text_of(id + std::to_string(segment * 10 + i), 200 + 900 * static_cast<size_t>(i));
        MORTISE_ASSIGN(const ObjectRef ref, domain->put(base::as_bytes(text)));
        ledger.objects.push_back({id, ref, text});
      }
      MORTISE_TRY(domain->finish_segment());
    }
  }
  return {};
}

using Act = base::Status (*)(base::FileOps& files, Ledger& ledger, uint64_t seed);

// An upload that is finished: three objects, one durable point for two of them.
inline base::Status act_put(base::FileOps& files, Ledger& ledger, uint64_t seed) {
  tests::FixedRandom random(seed + 2);
  MORTISE_ASSIGN(Opened all, open_all(files, random));
  MORTISE_ASSIGN(const auto domain, all.store->domain("a"));
  std::vector<Ledger::Object> waiting;
  for (int i = 0; i < 3; ++i) {
    const std::string text =
        i == 1 ? random.text(70'000) : text_of("put" + std::to_string(i), 2000);
    MORTISE_ASSIGN(const ObjectRef ref, domain->put(base::as_bytes(text)));
    waiting.push_back({"a", ref, text});
    if (i == 0) continue;
    MORTISE_TRY(domain->sync());
    ledger.objects.insert(ledger.objects.end(), waiting.begin(), waiting.end());
    waiting.clear();
  }
  return domain->finish_segment();
}

// What the database no longer names goes; the rest of "a" must stay.
inline base::Status act_compact(base::FileOps& files, Ledger& ledger, uint64_t seed) {
  tests::FixedRandom random(seed + 3);
  std::set<ChunkId> live;
  std::vector<Ledger::Object> kept;
  for (size_t i = 0; i < ledger.objects.size(); ++i) {
    if (ledger.objects[i].domain_id == "a" && i % 3 == 0) continue;
    live.insert(ledger.objects[i].ref.id);
    kept.push_back(ledger.objects[i]);
  }
  ledger.objects = kept;
  MORTISE_ASSIGN(Opened all, open_all(files, random));
  MORTISE_ASSIGN(const auto domain, all.store->domain("a"));
  return compact(*domain, closed_segments(*domain),
                 [&](const ChunkId& id) { return live.contains(id); },
                 {.dead_share_max = 0.01, .grace_ns = 0})
                 .ok()
             ? base::Status()
             : base::Status(base::Error(base::Code::kUnavailable, "compact"));
}

inline base::Status act_rotate(base::FileOps& files, Ledger&, uint64_t seed) {
  tests::FixedRandom random(seed + 4);
  MORTISE_ASSIGN(Opened all, open_all(files, random));
  MORTISE_TRY(all.keyring->rotate());
  return {};
}

inline base::Status act_shred(base::FileOps& files, Ledger& ledger, uint64_t seed) {
  tests::FixedRandom random(seed + 5);
  MORTISE_ASSIGN(Opened all, open_all(files, random));
  ledger.shredding.insert("b");
  MORTISE_TRY(all.store->shred("b"));
  ledger.shredded.insert("b");
  return {};
}

inline base::Status act_backup(base::FileOps& files, Ledger& ledger, uint64_t seed) {
  tests::FixedRandom random(seed + 6);
  MORTISE_ASSIGN(Opened all, open_all(files, random));
  MORTISE_TRY(backup(files, *all.store, "/backup"));
  ledger.has_backup = true;
  return {};
}

inline base::Status act_create(base::FileOps& files, Ledger& ledger, uint64_t seed) {
  tests::FixedRandom random(seed + 7);
  MORTISE_ASSIGN(Opened all, open_all(files, random));
  MORTISE_ASSIGN(const auto domain, all.store->create_domain("c"));
  MORTISE_ASSIGN(const ObjectRef ref, domain->put(base::as_bytes("of c")));
  MORTISE_TRY(domain->sync());
  ledger.objects.push_back({"c", ref, "of c"});
  return {};
}

struct NamedAct {
  const char* name;
  Act act;
};
inline constexpr NamedAct kActs[] = {{"put", act_put},       {"compact", act_compact},
                                     {"rotate", act_rotate}, {"shred", act_shred},
                                     {"backup", act_backup}, {"create", act_create}};

inline base::Status check_objects(Store& store, const Ledger& ledger) {
  for (const Ledger::Object& object : ledger.objects) {
    if (ledger.shredding.contains(object.domain_id)) continue;
    MORTISE_ASSIGN(const auto domain, store.domain(object.domain_id));
    MORTISE_ASSIGN(const std::string text, domain->read_all(object.ref));
    if (text != object.text) return base::Error(base::Code::kDataLoss, "Other bytes came back.");
    MORTISE_TRY(domain->verify(object.ref));
  }
  return {};
}

// Opens what is on the disk as a restarted server does. OK: every promise was kept.
inline base::Status judge(base::FileOps& files, const Ledger& ledger) {
  tests::FixedRandom random(99);
  MORTISE_ASSIGN(Opened all, open_all(files, random));
  MORTISE_TRY(check_objects(*all.store, ledger));
  for (const std::string& id : ledger.shredded) {
    if (all.keyring->get(id).ok())
      return base::Error(base::Code::kInternal, "A shredded key lives");
  }
  if (ledger.has_backup) {
    MORTISE_TRY(restore(files, "/backup", "/restored", "/restored/keys"));
    MORTISE_ASSIGN(const std::string key, base::read_file(files, kHome + "/keys/root.key"));
    MORTISE_TRY(base::write_file_durably(files, "/restored/keys/root.key", key));
    MORTISE_ASSIGN(Opened restored, open_all(files, random, "/restored"));
    MORTISE_TRY(check_objects(*restored.store, ledger));
  }
  // And the store goes on: what was begun can be finished, new things can be stored.
  MORTISE_TRY(all.keyring->rotate());
  for (const std::string& id : ledger.shredding) {
    const auto again = all.store->shred(id);
    if (!again.ok() && again.error().code != base::Code::kNotFound) return again.error();
  }
  MORTISE_ASSIGN(const auto domain, all.store->domain("a"));
  MORTISE_ASSIGN(const ObjectRef ref, domain->put(base::as_bytes("after the crash")));
  MORTISE_TRY(domain->sync());
  MORTISE_TRY(domain->verify(ref));
  return check_objects(*all.store, ledger);
}

}  // namespace mortise::store
