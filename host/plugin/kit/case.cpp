// See case.h.
#include "plugin/kit/case.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/crypto.h"

namespace mortise::plugin::kit {

using base::Json;
using base::Result;
using base::Status;

uint64_t Dice::next() {
  uint64_t z = (state_ += UINT64_C(0x9E3779B97F4A7C15));
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

double Dice::uniform() {
  return static_cast<double>(next() >> 11) * 0x1p-52 - 1.0;
}

Case::Case(pack::Decision decision, uint64_t seed, std::string folder)
    : decision_(std::move(decision)), seed_(seed), folder_(std::move(folder)) {}

std::string Case::label() const {
  return decision_.plugin.id + " " + decision_.manifest.version;
}

bool Case::declares(std::string_view interface_id) const {
  const auto& ids = decision_.plugin.interfaces;
  return std::find(ids.begin(), ids.end(), interface_id) != ids.end();
}

const Json& Case::conformance() const {
  const Json& whole = decision_.manifest.document["x-conformance"];
  const Json* own = whole["plugins"].find(decision_.plugin.id);
  return own != nullptr ? *own : whole;
}

Json Case::config() const {
  const Json& config = conformance()["config"];
  return config.is_null() ? Json::object() : config;
}

std::vector<SampleFile> Case::samples() const {
  std::vector<SampleFile> out;
  for (const Json& sample : conformance()["samples"].items()) {
    out.push_back({sample["name"].as_string(), sample["text"].as_string()});
    if (const Json* coded = sample.find("base64"); coded != nullptr) {
      const auto bytes = base::from_base64(coded->as_string());
      if (bytes.ok()) out.back().text = base::as_text(*bytes);
    }
  }
  for (const auto& [name, text] : conformance()["files"].members()) {
    out.push_back({name, text.as_string()});
  }
  return out;
}

LoadOptions Case::guarded() {
  LoadOptions options;
  options.is_guarded = true;
  return options;
}

Result<std::string> Case::once(const std::function<Result<std::string>()>& make) {
  const std::lock_guard lock(mutex_);
  if (once_) return *once_;
  MORTISE_ASSIGN(std::string value, make());
  once_ = value;
  return value;
}

Status Case::put(const std::string& name, std::string_view bytes) {
  MORTISE_TRY(base::check_relative_path(name));
  const std::filesystem::path path = std::filesystem::path(folder_) / "data" / name;
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file.good()) return {};
  return base::Error(base::Code::kDataLoss, "The kit cannot write its sample file.")
      .at_file(path.string());
}

Result<std::shared_ptr<Plugin>> Case::open(HostOptions host, LoadOptions load) {
  if (host.threads_count == 0) host.threads_count = 2;
  if (host.seed == 0) host.seed = seed_;
  // What plugins log goes nowhere: the report speaks for them.
  if (!host.on_log) host.on_log = [](int32_t, std::string_view, std::string_view) {};
  auto services = std::make_unique<HostServices>(std::move(host));
  std::error_code ignored;
  std::filesystem::create_directories(folder_ + "/data", ignored);
  for (const SampleFile& sample : samples()) MORTISE_TRY(put(sample.name, sample.text));
  MORTISE_TRY(services->grant("", folder_ + "/data", Access::kReadWrite));
  MORTISE_ASSIGN(auto plugin, plugin::load(decision_, *services, load));
  services_.push_back(std::move(services));
  return plugin;
}

int threads_count() {
  std::error_code ignored;
  int count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    ++count;
  }
  return count;
}

}  // namespace mortise::plugin::kit
