// One folder of fixtures/goldens: its model, its tensors and its tolerances, read in place.
// Used by the tests of this folder; skips them with a plain message when MORTISE_FIXTURES is unset.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "base/file_ops.h"
#include "base/json.h"
#include "engine/infer/forward.h"
#include "engine/model/model.h"
#include "engine/op/node.h"

namespace mortise::engine {

// The models of this folder are so small that a second thread only waits.
inline const bool kOneThread = (set_compute_threads(1), true);

inline std::string fixtures_folder() {
  const char* value = std::getenv("MORTISE_FIXTURES");
  return value == nullptr ? std::string() : std::string(value);
}

#define MORTISE_NEED_FIXTURES()                                                      \
  if (fixtures_folder().empty()) {                                                   \
    GTEST_SKIP() << "MORTISE_FIXTURES is not set, so the reference data are absent"; \
  }

struct Tolerance {
  double atol = 0, rtol = 0;
};

class GoldenCase {
 public:
  explicit GoldenCase(const std::string& name)
      : folder_(fixtures_folder() + "/goldens/" + name), name_(name) {
    auto text = base::read_file(base::posix_file_ops(), folder_ + "/case.json");
    info_ = base::parse_json(text.value()).value();
    auto file = Checkpoint::open_file(base::posix_file_ops(), folder_ + "/tensors.safetensors");
    for (const std::string& key : file.value().names()) {
      tensors_[key] = file.value().tensor(key).value();
    }
  }

  const std::string& name() const { return name_; }
  const std::string& folder() const { return folder_; }
  std::string model_folder() const { return folder_ + "/model"; }
  const base::Json& info() const { return info_; }
  bool is_bf16() const { return info_["dtype"].as_string() == "bfloat16"; }
  bool has(const std::string& key) const { return tensors_.contains(key); }
  const at::Tensor& tensor(const std::string& key) const { return tensors_.at(key); }
  const TensorMap& tensors() const { return tensors_; }

  // The batch of the case under transformers' own names.
  TensorMap inputs() const {
    TensorMap result;
    for (const auto& [key, tensor] : tensors_) {
      if (key.starts_with("in.")) result[key.substr(3)] = tensor;
    }
    return result;
  }
  Tolerance tolerance(const std::string& key) const {
    const base::Json& value = info_["tolerance"][key];
    EXPECT_TRUE(value.is_object()) << name_ << " states no tolerance for " << key;
    return {value["atol"].as_double(), value["rtol"].as_double()};
  }
  std::unique_ptr<Model> load(std::optional<at::ScalarType> dtype = {}) const {
    auto model = load_model(base::posix_file_ops(), model_folder(), {.dtype = dtype});
    EXPECT_TRUE(model.ok()) << model.error().text();
    return std::move(model).value();
  }

 private:
  std::string folder_, name_;
  base::Json info_;
  TensorMap tensors_;
};

inline TensorMap map_of(const NamedTensors& tensors) {
  return {tensors.begin(), tensors.end()};
}

// The largest |got - want| / (atol + rtol |want|), over rows where mask is 1 when a mask is given.
inline double worst_ratio(const at::Tensor& got_in, const at::Tensor& want_in,
                          const Tolerance& tolerance, const at::Tensor& mask = {}) {
  at::Tensor got = got_in.to(at::kDouble), want = want_in.to(at::kDouble);
  if (mask.defined()) {
    const at::Tensor keep = mask.to(at::kBool);
    at::Tensor wide = keep;
    while (wide.dim() < got.dim()) wide = wide.unsqueeze(-1);
    got = got.masked_fill(wide.logical_not(), 0);
    want = want.masked_fill(wide.logical_not(), 0);
  }
  const at::Tensor bound = want.abs() * tolerance.rtol + tolerance.atol;
  const double worst = ((got - want).abs() / bound).max().item<double>();
  return std::isnan(worst) ? INFINITY : worst;
}

inline void expect_close(const std::string& what, const at::Tensor& got, const at::Tensor& want,
                         const Tolerance& tolerance, const at::Tensor& mask = {}) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  EXPECT_LE(worst_ratio(got, want, tolerance, mask), 1.0)
      << what << " is off by more than " << tolerance.atol << " + " << tolerance.rtol << "|x|";
}

}  // namespace mortise::engine
