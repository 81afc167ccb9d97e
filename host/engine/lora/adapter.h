// A LoRA adapter on a model: made new, read from PEFT's folder, trained, written back, merged. It
// fills the slots that engine/model leaves in its layers and owns what it puts there. Called by
// engine/train, engine/infer, serve and export. Knows nothing of batches or optimisers.
//
// Letters: R rank, K inputs, O outputs, V vocabulary, C channels.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/lora/adapter_config.h"
#include "engine/model/model.h"
#include "engine/weights/checkpoint.h"

namespace mortise::engine {

constexpr std::string_view kPeftPrefix = "base_model.model.";  // of every name in PEFT's files

// Taken off the model when it dies: the base is then what it was (unless merge() ran). The model
// must outlive it; at most one adapter is on a model at a time. [serial]
class Adapter {
 public:
  // A new one: A uniform in +-1/sqrt(K) (Kaiming with a = sqrt 5), B zero, so the model computes
  // what it did; numbers come from (seed, name of the tensor). Errors: INVALID_ARGUMENT when no
  // module matches, naming those there are, or a rank_pattern or alpha_pattern matches none;
  // FAILED_PRECONDITION when the model carries an adapter; UNIMPLEMENTED for modules_to_save of a
  // tied head.
  static base::Result<std::unique_ptr<Adapter>> create(Model& model, AdapterConfig config,
                                                       uint64_t seed);

  // Reads adapter_config.json and adapter_model.safetensors. Names of older transformers are
  // understood. Errors: those of create and Checkpoint; INVALID_ARGUMENT listing each tensor that
  // is missing, unexpected or of another shape.
  static base::Result<std::unique_ptr<Adapter>> load(base::FileOps& files,
                                                     const std::string& folder, Model& model);

  ~Adapter();
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  const AdapterConfig& config() const { return config_; }

  // What training may change, under PEFT's keys, in the order of the layers. Valid while the
  // adapter lives; the tensors are slots that may be replaced by others of the same shape.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // The same tensors as they are in adapter_model.safetensors.
  NamedTensors tensors() const;

  // Writes both files durably; base_model is noted in the config ("" keeps what it says).
  base::Status save(base::FileOps& files, const std::string& folder,
                    const std::string& base_model) const;

  // While one lives, the model computes as the base did before the adapter came. [serial]
  class Off {
   public:
    explicit Off(Adapter& adapter) : adapter_(adapter) { adapter_.attach_factors(false); }
    ~Off() { adapter_.attach_factors(true); }
    Off(const Off&) = delete;
    Off& operator=(const Off&) = delete;

   private:
    Adapter& adapter_;
  };

  // Folds the adapter into the model's own weights, for good; the adapter is empty afterwards.
  base::Status merge();

 private:
  struct Layer {
    Linear* linear = nullptr;  // one of the two
    Embedding* embedding = nullptr;
    LoraFactors factors;

    const std::string& name() const { return linear != nullptr ? linear->name : embedding->name; }
  };
  Adapter(Model& model, AdapterConfig config) : model_(model), config_(std::move(config)) {}

  base::Status attach();
  base::Status attach_layer(const std::string& module, Linear* linear, Embedding* embedding);
  base::Status check_patterns() const;
  void attach_factors(bool on);
  void list_factors();
  base::Status list_whole_modules();
  void list_biases();
  void own(const std::string& key, at::Tensor& slot);
  void initialise(uint64_t seed);
  base::Status take(const Checkpoint& checkpoint, const std::string& path);

  Model& model_;
  AdapterConfig config_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<Parameter> parameters_;
  std::vector<std::pair<at::Tensor*, at::Tensor>> originals_;  // slots of the base, and what was in
};

}  // namespace mortise::engine
