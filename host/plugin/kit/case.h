// What a check works with: the pack and the plugin under test, its sample data, a folder of its
// own, and ways to load it. Made by kit.cpp for one run of one check; ends with it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "pack/find.h"
#include "plugin/host_services.h"
#include "plugin/plugin.h"

namespace mortise::plugin::kit {

// Numbers from a seed, the same on every machine (splitmix64, Steele et al. 2014).
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t next();
  uint64_t below(uint64_t count) { return next() % count; }  // count > 0
  double uniform();                                          // [-1, 1)

 private:
  uint64_t state_;
};

struct SampleFile {
  std::string name, text;
};

class Case {
 public:
  Case(pack::Decision decision, uint64_t seed, std::string folder);

  const pack::Decision& decision() const { return decision_; }
  const pack::PluginEntry& entry() const { return decision_.plugin; }
  std::string label() const;
  const std::string& folder() const { return folder_; }
  uint64_t seed() const { return seed_; }
  Dice dice(uint64_t stream = 0) const { return Dice(seed_ * 1000003 + stream); }
  bool declares(std::string_view interface_id) const;

  // "x-conformance" of pack.json, or its member "plugins"/<id>; null when absent.
  const base::Json& conformance() const;
  base::Json config() const;                // of the samples; {} when absent
  std::vector<SampleFile> samples() const;  // members "samples" and "files"

  // A plugin loaded into services of its own; both live as long as this case. The sample files are
  // granted under their names. The second form keeps what it is given.
  base::Result<std::shared_ptr<Plugin>> open(HostOptions host = {}, LoadOptions load = guarded());
  static LoadOptions guarded();

  // Made once a case, by whichever thread comes first: training is long and writes a file.
  base::Result<std::string> once(const std::function<base::Result<std::string>()>& make);

  // Writes a file into the folder that is granted. Errors: of writing.
  base::Status put(const std::string& name, std::string_view bytes);

 private:
  pack::Decision decision_;
  uint64_t seed_;
  std::string folder_;
  std::deque<std::unique_ptr<HostServices>> services_;
  std::mutex mutex_;
  std::optional<std::string> once_;
};

int threads_count();  // of this process

}  // namespace mortise::plugin::kit
