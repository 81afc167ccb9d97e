// A model as loaded from a checkpoint folder: its modules, the list of its parameters under the
// names transformers gives them in memory, and one forward pass over packed rows, with images when
// it has a tower. Called by infer/, lora/, train/ and export. Knows nothing of tokenizers, losses'
// packs or optimisers.
//
// Letters: T packed tokens, C channels, V vocabulary, I images, P tokens of one image, L labelled,
// M features of pictures of any size.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/model/audio_tower.h"
#include "engine/model/clip.h"
#include "engine/model/config.h"
#include "engine/model/decoder.h"
#include "engine/model/qwen_vision.h"
#include "engine/weights/checkpoint.h"

namespace mortise::engine {

// A named place that holds a tensor. It trains exactly when (*tensor).requires_grad().
struct Parameter {
  std::string name;    // "model.layers.0.self_attn.q_proj.weight"
  at::Tensor* tensor;  // the slot in the model; may be replaced by one of the same shape
};

struct Model {
  ModelConfig config;
  at::ScalarType dtype = at::kFloat;  // of weights and activations
  std::optional<Decoder> text;
  std::optional<VisionTower> vision;
  std::optional<QwenTower> qwen_vision;
  std::optional<AudioTower> audio;
  std::optional<ClipText> clip_text;
  Linear projector_1, projector_2;            // llava; qwen2_audio has the first
  Linear visual_projection, text_projection;  // clip; siglip has the second, as text_model.head
  at::Tensor logit_scale, logit_bias;         // clip: [] and undefined; siglip: [1] both

  // In the order of the layers; a tied head is not listed. Stable while the Model lives.
  std::vector<Parameter> parameters;
  // Every layer that LoRA may attach to, lm_head included (a tied head has an undefined weight).
  std::vector<Linear*> linears;
  std::vector<Embedding*> embeddings;

  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  Parameter* find_parameter(std::string_view name);  // nullptr when absent
  Linear* find_linear(std::string_view name);
};

struct LoadOptions {
  std::optional<at::ScalarType> dtype;  // kFloat or kBFloat16; absent: the checkpoint's own
};

// Loads a folder. Weights stay in the mapped files where their type already fits; nothing trains.
// fp16 checkpoints become bf16. Errors: those of read_config and Checkpoint::open; INVALID_ARGUMENT
// listing every tensor that is missing, unexpected, or of another shape.
base::Result<std::unique_ptr<Model>> load_model(base::FileOps& files, const std::string& folder,
                                                const LoadOptions& options = {});
// The same from tensors under their names in memory, for instance fresh ones.
base::Result<std::unique_ptr<Model>> build_model(const ModelConfig& config, at::ScalarType dtype,
                                                 const NamedTensors& tensors);

// Gives the parameter memory of its own (a mapped file cannot be written) and lets it train.
void make_trainable(Parameter& parameter);

// The parameters under their names on disk, ready for save_checkpoint.
NamedTensors tensors_on_disk(const Model& model);

struct TextInputs {
  at::Tensor ids;                  // int32 [T]
  std::vector<int32_t> positions;  // [T], or [3, T] from mrope_positions
  Bounds bounds;                   // sequences of the rows
  at::Tensor key_rows;             // as DecoderInputs: sequences that share a beginning
  Bounds key_bounds;
  at::Tensor pixels;  // [I, 3, H, W]: images in the order of their tokens; or undefined
  // Instead of the tower's run over pixels or patches, whose grids stay: [I*P, C], of Qwen-VL
  // [M, C]; or undefined.
  at::Tensor image_features, video_features;
  PatchBatch images, videos;     // the pictures of Qwen-VL, in the order of their tokens
  at::Tensor sound_features;     // the same of sounds: [M, C]
  SoundBatch sounds;             // of Qwen2-Audio, in the order of their tokens
  std::vector<KvCache*> caches;  // one a sequence, or empty
  bool keep_states = false;
};

struct TextOutputs {
  at::Tensor last;                        // [T, C] after the final norm
  std::vector<at::Tensor> states;         // as DecoderOutputs
  at::Tensor image_features;              // [I, P, C], of Qwen-VL [M, C]; undefined without images
  at::Tensor video_features;              // [M, C]; undefined without videos
  at::Tensor sound_features;              // [M, C]; undefined without sounds
  std::vector<at::Tensor> vision_states;  // keep_states, Qwen-VL: as QwenFeatures, of the images
};

// Qwen-VL: sets in.positions to those [3, T] that follow from its ids, bounds and pictures. Other
// models keep theirs. Throws what mrope_positions throws.
void place_pictures(const Model& model, TextInputs& in);

// Throws OpFailure: INVALID_ARGUMENT when the number of image tokens and of images do not fit, or
// an id is out of range; what run_decoder, run_qwen_vision and run_audio_tower throw.
TextOutputs run_text(Pass& pass, const Model& model, const TextInputs& inputs);

// pixels [I, 3, H, W] -> features as they enter the text [I, P, C] (llava).
at::Tensor image_features_of(Pass& pass, const Model& model, const at::Tensor& pixels);

// The two halves of that, for who runs a tower that does not train only once: what the tower makes
// of pixels, rows [I*P, C of the tower] (llava), of patches, rows [patches, C of the tower]
// (Qwen-VL, in the order of the patches), or of sounds, rows [M, C of the tower]; and what
// projector or merger make of such rows, features [M, C] as they enter the text. Throw what the
// whole throws.
at::Tensor tower_rows_of(Pass& pass, const Model& model, const at::Tensor& pixels);
at::Tensor tower_rows_of(Pass& pass, const Model& model, const PatchBatch& pictures);
at::Tensor tower_rows_of(Pass& pass, const Model& model, const SoundBatch& sounds);
at::Tensor project(Pass& pass, const Model& model, const at::Tensor& rows);

// hidden [N, C] -> logits [N, V] in the model's type.
at::Tensor logits_of(Pass& pass, const Model& model, const at::Tensor& hidden);

// The sum over rows of -log p(label), fp32 [1]; by the pack's loss when one is given.
at::Tensor loss_of(Pass& pass, const Model& model, const at::Tensor& hidden, const at::Tensor& rows,
                   const at::Tensor& labels, Loss* loss = nullptr);

}  // namespace mortise::engine
