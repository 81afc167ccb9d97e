// What holds for every plugin that is used as intended: it works, twice alike, in several threads,
// without optional services, and gives back what it took.
#include <malloc.h>

#include <algorithm>
#include <barrier>
#include <thread>

#include "plugin/error_box.h"
#include "plugin/guard.h"
#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"
#include "plugin/kit/kind_calls.h"

extern "C" __attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes();

namespace mortise::plugin::kit {
namespace {

using base::Result;

const char* const kServices[] = {"mortise.log/1",   "mortise.memory/1", "mortise.progress/1",
                                 "mortise.files/1", "mortise.config/1", "mortise.rng/1",
                                 "mortise.pool/1"};

Outcome full_use_succeeds(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string answers, exercise(at, plugin));
  if (answers.empty()) return fail("The plugin answered nothing at all.");
  MORTISE_TRY(plugin->quiesce());
  return {};
}

Outcome same_input_same_bytes(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string first, exercise(at, plugin));
  for (int i = 0; i < 2; ++i) {
    MORTISE_ASSIGN(const std::string again, exercise(at, plugin));
    if (again == first) continue;
    const auto [a, b] = std::mismatch(first.begin(), first.end(), again.begin(), again.end());
    const auto at_byte = static_cast<size_t>(a - first.begin());
    return fail("The same calls gave other answers: \"" +
                first.substr(at_byte > 20 ? at_byte - 20 : 0, 60) + "\", then \"" +
                again.substr(at_byte > 20 ? at_byte - 20 : 0, 60) + "\".");
  }
  return {};
}

// log and memory are always there (service/log.h, service/memory.h).
Outcome lives_without_optional_services(Case& at) {
  HostOptions host;
  const auto& needs = at.entry().needs_services;
  for (const std::string id : kServices) {
    if (id == "mortise.log/1" || id == "mortise.memory/1") continue;
    if (std::find(needs.begin(), needs.end(), id) == needs.end()) host.withheld.insert(id);
  }
  MORTISE_ASSIGN(const auto whole, at.open());
  MORTISE_ASSIGN(const std::string expected, exercise(at, whole));
  MORTISE_ASSIGN(const auto plugin, at.open(std::move(host)));
  MORTISE_ASSIGN(const std::string answers, exercise(at, plugin));
  if (answers == expected) return {};
  return fail("Without the services that it does not need the plugin answers otherwise.");
}

Outcome instances_run_side_by_side(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string expected, exercise(at, plugin));
  constexpr int kThreads = 4;
  std::vector<std::string> problems(kThreads);
  std::vector<std::thread> threads;
  std::barrier start(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      for (int round = 0; round < 3 && problems[static_cast<size_t>(i)].empty(); ++round) {
        const InputNote note("one of 4 threads");
        const Result<std::string> answers = exercise(at, plugin);
        if (!answers.ok()) problems[static_cast<size_t>(i)] = answers.error().text();
        if (answers.ok() && *answers != expected) {
          problems[static_cast<size_t>(i)] = "Answers differ from those of one thread.";
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : problems) {
    if (!problem.empty()) return fail("Four threads, each with an instance: " + problem);
  }
  return {};
}

Outcome leaves_no_threads(Case& at) {
  const int own = threads_count();
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string first, exercise(at, plugin));  // the host's pool starts here
  const int before = threads_count();
  MORTISE_ASSIGN(const std::string second, exercise(at, plugin));
  MORTISE_TRY(plugin->quiesce());
  const int after = threads_count();
  const bool may_start = at.entry().starts_threads;
  if (after > before) {
    return fail(std::to_string(after - before) + " threads were left running after quiesce.");
  }
  // Of the first use, what is not the host's pool (one thread, since two are asked for).
  if (may_start || after <= own + 1) return {};
  return fail("The process has " + std::to_string(after - own) +
              " threads more than before, and the manifest does not say starts_threads.");
}

Outcome calls_the_host_from_its_threads(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string answers, exercise(at, plugin));
  std::this_thread::sleep_for(std::chrono::milliseconds(at.entry().starts_threads ? 0 : 30));
  for (const Violation& violation : violations_of(at.label())) {
    if (violation.rule == "thread") return fail(violation.text);
  }
  return {};
}

Outcome gives_service_memory_back(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string first, exercise(at, plugin));
  const uint64_t before = plugin->services().memory_use(at.label()).used_bytes;
  MORTISE_ASSIGN(const std::string second, exercise(at, plugin));
  const uint64_t after = plugin->services().memory_use(at.label()).used_bytes;
  if (after > before) {
    return fail("One use kept " + std::to_string(after - before) +
                " bytes of mortise.memory/1 for good.");
  }
  MORTISE_TRY(plugin->quiesce());
  const uint64_t left = plugin->services().memory_use(at.label()).used_bytes;
  if (left == 0) return {};
  return fail(std::to_string(left) + " bytes of mortise.memory/1 are left after quiesce.");
}

size_t heap_bytes() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) {
    return __sanitizer_get_current_allocated_bytes();
  }
  const struct mallinfo2 heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

// Growth of the heap over so many uses. They run in a thread of their own: what the allocator keeps
// at hand for a thread, which counts as used, goes back when the thread ends.
Result<size_t> growth(Case& at, const std::shared_ptr<Plugin>& plugin, size_t uses) {
  base::Status status;
  auto use = [&] {
    for (size_t i = 0; i < uses && status.ok(); ++i) {
      const Result<std::string> used = exercise(at, plugin);
      if (!used.ok()) status = used.error();
    }
  };
  const size_t before = heap_bytes();
  std::thread(use).join();
  const size_t after = heap_bytes();
  MORTISE_TRY(status);
  return after > before ? after - before : 0;
}

// The smallest block of the heap has 32 bytes, so a leak of one block a use is over the limit.
// What the allocator keeps for itself is bounded: where a few uses grow, many decide. Without the
// guard, which keeps what it watches.
Outcome heap_does_not_grow(Case& at) {
  constexpr size_t kLimitBytes = 24;
  MORTISE_ASSIGN(const auto plugin, at.open({}, LoadOptions{}));
  if (const auto warm = growth(at, plugin, 4); !warm.ok()) return warm.error();
  for (const size_t uses : {size_t{16}, size_t{16}, size_t{128}, size_t{256}, size_t{512}}) {
    MORTISE_ASSIGN(const size_t grown, growth(at, plugin, uses));
    if (grown < uses * kLimitBytes) return {};
    if (uses < 512) continue;
    return fail("The heap grows by about " + std::to_string(grown / uses) + " bytes a use.");
  }
  return {};
}

Outcome enders_take_null(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_TRY(end_nothing(*plugin));
  return {};
}

constexpr Check kUseChecks[] = {
    {"use.succeeds", "One ordinary use from create to destroy and quiesce works.", "", "",
     Needs::kPlugin, full_use_succeeds},
    {"use.same_input_gives_same_bytes", "The same calls give the same answers, bit for bit.", "",
     "", Needs::kPlugin, same_input_same_bytes},
    {"use.lives_without_optional_services",
     "Without the services that it does not need, the plugin does the same.", "", "",
     Needs::kPlugin, lives_without_optional_services},
    {"use.instances_run_side_by_side",
     "Instances in several threads at once give what one thread gives.", "", "", Needs::kPlugin,
     instances_run_side_by_side},
    {"use.leaves_no_threads",
     "Threads are started only if the manifest says so and end with quiesce.", "", "",
     Needs::kPlugin, leaves_no_threads},
    {"use.calls_the_host_from_the_hosts_threads",
     "Services are called inside of calls, or from threads that the manifest announces.", "", "",
     Needs::kPlugin, calls_the_host_from_its_threads},
    {"use.gives_service_memory_back", "All memory of mortise.memory/1 is given back.", "", "",
     Needs::kPlugin, gives_service_memory_back},
    {"use.heap_does_not_grow", "Repeated use does not make the heap grow.", "", "", Needs::kPlugin,
     heap_does_not_grow},
    {"use.enders_take_null", "destroy, close, abort and the like take NULL.", "", "",
     Needs::kPlugin, enders_take_null},
};

}  // namespace

std::span<const Check> use_checks() {
  return kUseChecks;
}

}  // namespace mortise::plugin::kit
