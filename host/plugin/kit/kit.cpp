// See kit.h.
#include "plugin/kit/kit.h"

#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <set>

#include "base/clock.h"
#include "base/file_ops.h"
#include "plugin/guard.h"
#include "plugin/kit/case.h"
#include "plugin/kit/child.h"

namespace mortise::plugin::kit {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// Deleted with all that the checks wrote into it.
class Scratch {
 public:
  static Result<std::unique_ptr<Scratch>> create() {
    // Each check writes a death record to the disk at once; in memory that costs nothing.
    const bool is_told = std::getenv("TMPDIR") != nullptr || ::access("/dev/shm", W_OK) != 0;
    std::string pattern = (is_told ? std::filesystem::temp_directory_path().string() : "/dev/shm") +
                          "/mortise-check-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      return Error(Code::kResourceExhausted, "No temporary folder could be made for the checks.");
    }
    return std::unique_ptr<Scratch>(new Scratch(pattern));
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string make(const std::string& name) const {
    const std::string folder = base::join_path(path_, name);
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    return folder;
  }

 private:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

double seconds_since(int64_t begin_ns) {
  return static_cast<double>(base::system_clock().monotonic_ns() - begin_ns) * 1e-9;
}

// What the guard caught counts even when the results were right.
Outcome run_here(const Check& check, const pack::Decision& decision, uint64_t seed,
                 const std::string& folder) {
  forget_violations();
  Outcome outcome;
  {
    Case at(decision, seed, folder);
    const InputNote note(std::string("the check ") + check.name);
    outcome = check.run(at);
  }
  if (outcome.state != State::kPass && outcome.state != State::kWarn) return outcome;
  const auto broken = violations_of("");
  if (broken.empty()) return outcome;
  return fail(broken[0].slot + " broke the rule \"" + broken[0].rule + "\": " + broken[0].text);
}

// Runs two checks at a time: most of a check is the kernel's work for its process. The report keeps
// the order of the checks.
class Runner {
 public:
  Runner(const KitOptions& options, const Scratch& scratch, Report& report)
      : options_(options), scratch_(scratch), report_(report) {}

  Status run(const pack::Decision& decision, const std::vector<const Check*>& checks) {
    has_library_ = loads_ = true;
    for (const Check* check : checks) {
      report_.rows.push_back({decision.plugin.id, check->name, check->sentence, {}, 0});
      const bool is_able = check->needs == Needs::kManifest ||
                           (check->needs == Needs::kLibrary ? has_library_ : loads_);
      if (is_able) {
        MORTISE_TRY(start(*check, decision));
      } else {
        report_.rows.back().outcome = skip("The plugin does not load; see the checks above.");
        tell(report_.rows.back());
      }
      const bool is_waited_for = is_gate(check->name);
      MORTISE_TRY(finish(is_waited_for ? 0 : kAtOnce - 1));
    }
    return finish(0);
  }
  void expect(int64_t checks_count) { total_ += checks_count; }

 private:
  static constexpr size_t kAtOnce = 2;
  struct Running {
    size_t row;
    Child child;
  };

  static bool is_gate(std::string_view check) {
    return check == "load.files_match_their_hashes" || check == "load.plugin_loads";
  }

  Status start(const Check& check, const pack::Decision& decision) {
    const size_t row = report_.rows.size() - 1;
    const std::string folder = scratch_.make(std::to_string(row));
    auto body = [&] { return run_here(check, decision, options_.seed, folder); };
    if (options_.in_process) {
      const int64_t begin_ns = base::system_clock().monotonic_ns();
      take(report_.rows[row], body(), seconds_since(begin_ns));
      return {};
    }
    MORTISE_ASSIGN(Child child, Child::start(body, folder, options_.time_limit_ms));
    running_.push_back({row, std::move(child)});
    return {};
  }

  // Waits until no more than so many run, the oldest first.
  Status finish(size_t left) {
    for (; running_.size() > left; running_.pop_front()) {
      Running& oldest = running_.front();
      MORTISE_ASSIGN(Outcome outcome, oldest.child.wait(options_.is_cancelled));
      take(report_.rows[oldest.row], std::move(outcome), oldest.child.seconds());
    }
    return {};
  }

  void take(ReportRow& row, Outcome outcome, double seconds) {
    const State state = outcome.state;
    const bool is_good = state == State::kPass || state == State::kWarn || state == State::kSkip;
    if (is_gate(row.check) && !is_good) {
      loads_ = false;
      if (row.check == "load.files_match_their_hashes") has_library_ = false;
    }
    row.outcome = std::move(outcome);
    row.seconds = seconds;
    tell(row);
  }
  void tell(const ReportRow& row) {
    ++done_;
    if (options_.on_progress) options_.on_progress(row.check, done_, total_);
  }

  const KitOptions& options_;
  const Scratch& scratch_;
  Report& report_;
  std::deque<Running> running_;
  bool has_library_ = true, loads_ = true;  // of the plugin at hand
  int64_t done_ = 0, total_ = 0;
};

std::vector<const Check*> checks_for(const pack::PluginEntry& plugin, const std::string& filter) {
  std::vector<const Check*> out;
  const std::set<std::string, std::less<>> ids(plugin.interfaces.begin(), plugin.interfaces.end());
  for (const Check& check : all_checks()) {
    const std::string_view kind = check.kind, interface = check.interface;
    if (!kind.empty() && kind != plugin.kind) continue;
    if (!interface.empty() && !ids.contains(interface)) continue;
    if (std::string_view(check.name).find(filter) == std::string_view::npos) continue;
    out.push_back(&check);
  }
  return out;
}

Status check_filter(const std::string& filter) {
  for (const Check& check : all_checks()) {
    if (std::string_view(check.name).find(filter) != std::string_view::npos) return {};
  }
  return Error(Code::kInvalidArgument, "No check's name contains \"" + filter + "\".",
               "Names begin with load., entry., use., errors., or the kind: metric., tokenizer., "
               "format., loss., device.");
}

// The first check, done here: without a manifest there is nothing to run the others on.
Result<std::vector<pack::Decision>> read_pack(const KitOptions& options, Report& report) {
  base::FileOps& files = base::posix_file_ops();
  std::vector<pack::Decision> decisions;
  auto refuse = [&](const std::string& plugin, const Error& error) {
    const Check& first = all_checks().front();
    report.rows.push_back({plugin, first.name, first.sentence, Outcome(error), 0});
    return std::vector<pack::Decision>();
  };
  const auto manifest = pack::read_manifest(files, options.root);
  if (!manifest.ok()) return refuse("", manifest.error());
  report.pack = manifest->id + " " + manifest->version;
  for (const pack::PluginEntry& plugin : manifest->plugins) {
    auto decision = pack::decide_folder(files, options.root, plugin.id, {});
    if (!decision.ok()) return refuse(plugin.id, decision.error());
    decisions.push_back(std::move(*decision));
  }
  return decisions;
}

}  // namespace

const std::vector<Check>& all_checks() {
  static const std::vector<Check> checks = [] {
    std::vector<Check> out;
    for (const auto part :
         {load_checks(), entry_checks(), use_checks(), error_checks(), metric_checks(),
          metric_state_checks(), tokenizer_checks(), format_checks(), writer_checks(),
          loss_checks(), preference_checks(), device_checks(), device_op_checks()}) {
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }();
  return checks;
}

Result<Report> run_kit(const KitOptions& options) {
  MORTISE_TRY(check_filter(options.filter));
  MORTISE_ASSIGN(const auto scratch, Scratch::create());
  const int64_t begin_ns = base::system_clock().monotonic_ns();
  Report report;
  report.root = options.root;
  report.seed = options.seed;
  MORTISE_ASSIGN(const std::vector<pack::Decision> decisions, read_pack(options, report));
  Runner runner(options, *scratch, report);
  for (const pack::Decision& decision : decisions) {
    runner.expect(static_cast<int64_t>(checks_for(decision.plugin, options.filter).size()));
  }
  for (const pack::Decision& decision : decisions) {
    MORTISE_TRY(runner.run(decision, checks_for(decision.plugin, options.filter)));
  }
  report.seconds = seconds_since(begin_ns);
  return report;
}

}  // namespace mortise::plugin::kit
