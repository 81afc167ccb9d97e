// `mortise model forward`: tensors in, what the model computes of them out, with gradients on wish.
// Called by app/mortise-worker and by tests. Knows nothing of tokenizers or of command lines.
#pragma once

#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/infer/batch.h"
#include "engine/model/model.h"

namespace mortise::engine {

struct ForwardRequest {
  std::string model_folder;
  std::string adapter_folder;  // PEFT layout; empty: none
  std::string dtype;           // "float32", "bfloat16", or empty: the checkpoint's own
  bool grad = false;           // of the loss, for every parameter that trains
  std::string input_path;      // safetensors, names of transformers' arguments
  std::string output_path;     // written durably
};

// Errors: those of load_model, of the adapter, of forward_tensors and of FileOps; INVALID_ARGUMENT
// for a dtype that is not one of the two.
base::Status run_forward(base::FileOps& files, Device& device, const ForwardRequest& request);

// The same in memory. A decoder gives `logits` [rows, tokens, V] and `hidden_states.{k}` (the
// stream entering layer k; k = number of layers: leaving the last) and `hidden_states.norm` (after
// the final norm), all with zeros at masked positions; `loss` [1] when labels are given;
// `image_features` with images, of Qwen-VL also `video_features` and `vision_hidden_states.{k}`
// (of the images; 2.5: in the windows' order); its pictures are pixel_values with image_grid_thw
// [I, 3] and pixel_values_videos with video_grid_thw and second_per_grid_ts, and position_ids are
// [3, rows, tokens] or made from the grids. Sounds are
// input_features [clips, bins, frames] with feature_attention_mask [clips, frames] and give
// `audio_features`. With cu_seqlens the outputs have no batch axis. CLIP
// and SigLIP give `image_embeds`, `text_embeds`, `logits_per_image`, `logits_per_text`, `loss`,
// `vision_hidden_states.{k}`, `text_hidden_states.{k}`; a tower alone `image_features` or
// `last_hidden_state`; Whisper's encoder `last_hidden_state` and `hidden_states.{k}` of clips of
// one length, whose padding it hears as the reference does. `trained` are the parameters whose
// gradients are written as `grad.<name>` (unreached ones are left out); empty: no backward pass.
// Errors: INVALID_ARGUMENT naming an input that is unknown, missing or of a wrong shape, and for
// gradients without labels.
base::Result<NamedTensors> forward_tensors(Device& device, const Model& model,
                                           const TensorMap& inputs,
                                           const std::vector<Parameter>& trained);

}  // namespace mortise::engine
