// The entry and the tables it leads to: negotiation with hosts older, newer and stranger than this
// one, ids, heads of tables.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "plugin/error_box.h"
#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"
#include "plugin/kit/handshake.h"

namespace mortise::plugin::kit {
namespace {

using base::Result;

Outcome entry_is_quick(Case& at) {
  Handshake hands;
  MORTISE_TRY(shake(at, hands));
  constexpr int64_t kLimitNs = 100'000'000;
  if (hands.wall_ns < kLimitNs) return {};
  const std::string took = "mortise_entry_1 took " + std::to_string(hands.wall_ns / 1'000'000) +
                           " ms, " + std::to_string(hands.cpu_ns / 1'000'000) +
                           " of them on the processor; 100 ms are allowed.";
  // A thread that never waited and computed little was only kept from running.
  if (hands.cpu_ns < kLimitNs && hands.waits_count == 0) return warn(took);
  return fail(took);
}

Outcome entry_starts_no_threads(Case& at) {
  Handshake hands;
  MORTISE_TRY(shake(at, hands));
  if (hands.threads_started == 0) return {};
  return fail("mortise_entry_1 started " + std::to_string(hands.threads_started) +
              " threads; it is called only to learn what there is.");
}

Outcome reply_is_clean(Case& at) {
  Handshake hands;
  MORTISE_TRY(shake(at, hands));
  const mortise_hello_reply& reply = *hands.reply;
  if (reply.magic != MORTISE_MAGIC) return fail("The reply's magic was changed.");
  if (reply.struct_size != sizeof reply) return fail("The reply's struct_size was changed.");
  for (const uint8_t byte : reply.reserved) {
    if (byte != 0) return fail("The reply's reserved bytes are not zero.");
  }
  const std::string id(view_of(reply.plugin_id).substr(0, 256));
  if (id == at.entry().id) return {};
  return fail("The reply's plugin_id is \"" + id + "\", pack.json says \"" + at.entry().id + "\".");
}

Outcome minors_are_honest(Case& at) {
  Handshake hands;
  MORTISE_TRY(shake(at, hands));
  const pack::AbiNeeds& abi = at.decision().manifest.abi;
  if (hands.reply->needs_minor != abi.needs_minor) {
    return fail("The reply's needs_minor is " + std::to_string(hands.reply->needs_minor) +
                ", pack.json says " + std::to_string(abi.needs_minor) +
                "; a host decides by the manifest, without loading.");
  }
  if (hands.reply->built_minor >= hands.reply->needs_minor) return {};
  return fail("built_minor is " + std::to_string(hands.reply->built_minor) +
              ", less than needs_minor.");
}

Outcome newer_host_is_fine(Case& at) {
  Handshake hands;
  hands.host_minor = MORTISE_ABI_MINOR + 1;
  MORTISE_TRY(shake(at, hands));
  if (hands.is_accepted()) return {};
  return fail("The entry answers code " + std::to_string(hands.status) + " to a host of minor " +
              std::to_string(hands.host_minor) + "; newer hosts offer all that older ones do.");
}

Outcome longer_structs_are_fine(Case& at) {
  Handshake hands;
  hands.tail_bytes = 64;
  MORTISE_TRY(shake(at, hands));
  if (hands.is_tail_touched) return fail("The entry wrote behind the structs that it knows.");
  if (!hands.is_accepted()) {
    return fail("The entry answers code " + std::to_string(hands.status) +
                " to a hello with 64 unknown bytes behind it; compare struct_size with >=.");
  }
  LoadOptions options = Case::guarded();
  options.poisoned_tail_bytes = 256;
  MORTISE_ASSIGN(const auto plugin, at.open({}, options));
  return {};
}

Outcome other_generation_is_refused(Case& at) {
  Handshake hands;
  hands.generation = MORTISE_ABI_GENERATION + 6;
  MORTISE_TRY(shake(at, hands));
  if (!hands.is_accepted()) return {};
  return fail("The entry accepts a host of generation " + std::to_string(hands.generation) + ".");
}

using GetInterface = const void* (*)(mortise_text);

Result<GetInterface> lookup_of(Case& at) {
  Handshake hands;
  MORTISE_TRY(shake(at, hands));
  if (hands.is_accepted() && hands.reply->get_interface != nullptr) {
    return hands.reply->get_interface;
  }
  return base::Error(base::Code::kFailedPrecondition, "The entry refuses this host.");
}

Outcome unknown_ids_give_null(Case& at) {
  MORTISE_ASSIGN(const GetInterface lookup, lookup_of(at));
  std::vector<std::string> strange = {"", "/", "mortise.nothing/1", std::string(5000, 'm'),
                                      "\xff\xfe"};
  for (const std::string& id : at.entry().interfaces) {
    strange.push_back(id + "0");
    strange.push_back(id + " ");
    strange.push_back(id.substr(0, id.size() - 1));
    strange.push_back(id.substr(0, id.size() - 1) + "9");
    std::string upper = id;
    upper[0] = static_cast<char>(upper[0] - 'a' + 'A');
    strange.push_back(upper);
  }
  for (const std::string& id : strange) {
    if (lookup(text_of(id)) == nullptr) continue;
    return fail("get_interface gives a table for the unknown id \"" + id.substr(0, 80) + "\".");
  }
  return {};
}

// Each id lies at the end of a page behind which nothing may be read, and again before a letter.
Outcome ids_are_read_by_length(Case& at) {
  MORTISE_ASSIGN(const GetInterface lookup, lookup_of(at));
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  auto* room = static_cast<char*>(
      ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (room == MAP_FAILED) return skip("No memory could be mapped.");
  ::mprotect(room + page, page, PROT_NONE);
  for (const std::string& id : at.entry().interfaces) {
    char* begin = room + page - id.size();
    std::memcpy(begin, id.data(), id.size());
    if (lookup({begin, id.size()}) == nullptr) {
      return fail("get_interface gives NULL for \"" + id + "\" without a zero behind it.");
    }
    std::memcpy(begin - 1, id.data(), id.size());
    begin[id.size() - 1] = 'x';
    if (lookup({begin - 1, id.size()}) == nullptr) {
      return fail("get_interface gives NULL for \"" + id + "\" with other letters behind it.");
    }
  }
  ::munmap(room, 2 * page);
  return {};
}

Outcome same_id_gives_same_table(Case& at) {
  MORTISE_ASSIGN(const GetInterface lookup, lookup_of(at));
  for (const std::string& id : at.entry().interfaces) {
    const void* first = lookup(text_of(id));
    for (int i = 0; i < 3; ++i) {
      if (lookup(text_of(id)) == first) continue;
      return fail("get_interface gives another table for \"" + id + "\" at a later call.");
    }
  }
  return {};
}

Outcome interfaces_are_the_manifests(Case& at) {
  MORTISE_ASSIGN(const GetInterface lookup, lookup_of(at));
  for (const std::string& id : at.entry().interfaces) {
    if (lookup(text_of(id)) == nullptr) {
      return fail("pack.json declares \"" + id + "\", get_interface gives NULL for it.");
    }
  }
  for (const std::string& id : known_interfaces()) {
    if (at.declares(id) || lookup(text_of(id)) == nullptr) continue;
    return fail("get_interface gives a table for \"" + id +
                "\", which pack.json does not declare.");
  }
  return {};
}

Outcome table_heads_are_sound(Case& at) {
  MORTISE_ASSIGN(const GetInterface lookup, lookup_of(at));
  for (const std::string& id : at.entry().interfaces) {
    const void* table = lookup(text_of(id));
    if (table == nullptr) continue;
    uint32_t head[2];
    std::memcpy(head, table, sizeof head);
    if (head[0] < 16 || head[0] > 65536 || head[0] % 8 != 0) {
      return fail("The table " + id + " has the struct_size " + std::to_string(head[0]) +
                  "; a table is its head and slots of 8 bytes.");
    }
    if (head[1] != 0) {
      return fail("The table " + id + " has the unknown flags " + std::to_string(head[1]) + ".");
    }
  }
  return {};
}

// Through the host's own tables, which refuse a table that lacks what it requires.
Outcome required_slots_are_set(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  for (const std::string& id : at.entry().interfaces) MORTISE_TRY(wrap_any(*plugin, id));
  return {};
}

Outcome tables_do_not_change(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  std::vector<std::pair<const void*, std::string>> tables;
  for (const std::string& id : at.entry().interfaces) {
    const void* table = plugin->raw_interface(id);
    uint32_t size = 0;
    if (table != nullptr) std::memcpy(&size, table, sizeof size);
    if (size >= 8 && size <= 65536) {
      tables.emplace_back(table, std::string(static_cast<const char*>(table), size));
    }
  }
  MORTISE_ASSIGN(const std::string ignored, exercise(at, plugin));
  for (const auto& [table, bytes] : tables) {
    if (std::memcmp(table, bytes.data(), bytes.size()) != 0) {
      return fail("A table was changed while the plugin was used; hosts copy it once.");
    }
  }
  return {};
}

constexpr Check kEntryChecks[] = {
    {"entry.is_quick", "The entry returns within 100 ms.", "", "", Needs::kLibrary, entry_is_quick},
    {"entry.starts_no_threads", "The entry starts no threads.", "", "", Needs::kLibrary,
     entry_starts_no_threads},
    {"entry.reply_is_clean",
     "The reply names the plugin and leaves magic, size and reserved bytes.", "", "",
     Needs::kLibrary, reply_is_clean},
    {"entry.minors_are_honest", "needs_minor is the manifest's, and built_minor is not below it.",
     "", "", Needs::kLibrary, minors_are_honest},
    {"entry.accepts_a_newer_host", "A host with a later minor is accepted.", "", "",
     Needs::kLibrary, newer_host_is_fine},
    {"entry.accepts_longer_structs",
     "Unknown bytes behind hello and reply change nothing and are left alone.", "", "",
     Needs::kLibrary, longer_structs_are_fine},
    {"entry.refuses_another_generation", "A host of another generation is refused.", "", "",
     Needs::kLibrary, other_generation_is_refused},
    {"entry.unknown_ids_give_null", "An interface id that is not the plugin's gives NULL.", "", "",
     Needs::kLibrary, unknown_ids_give_null},
    {"entry.ids_are_read_by_length", "Ids are read by their length, not up to a zero.", "", "",
     Needs::kLibrary, ids_are_read_by_length},
    {"entry.same_id_gives_same_table", "The same id gives the same table each time.", "", "",
     Needs::kLibrary, same_id_gives_same_table},
    {"entry.interfaces_are_the_manifests",
     "The interfaces given are those that pack.json declares.", "", "", Needs::kLibrary,
     interfaces_are_the_manifests},
    {"tables.heads_are_sound", "Every table begins with its size and zero flags.", "", "",
     Needs::kLibrary, table_heads_are_sound},
    {"tables.required_slots_are_set", "Every slot that an interface requires is set.", "", "",
     Needs::kPlugin, required_slots_are_set},
    {"tables.do_not_change", "Tables stay as they are while the plugin is used.", "", "",
     Needs::kPlugin, tables_do_not_change},
};

}  // namespace

std::span<const Check> entry_checks() {
  return kEntryChecks;
}

}  // namespace mortise::plugin::kit
