// Sound files as the tensors that a model's own processor gives, chosen by
// preprocessor_config.json. Called by `mortise media preprocess`. Knows nothing of rows or of
// models' weights.
#pragma once

#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/weights/checkpoint.h"

namespace mortise::engine {

// `input_features` [clips, bins, frames] and, int32 [clips, frames], 1 where a frame is of the
// sound and 0 where it is of the padding, `attention_mask` (WhisperFeatureExtractor) or
// `feature_attention_mask` (where processor_class is Qwen2AudioProcessor). `folder` has
// preprocessor_config.json; without one Whisper's defaults hold. Where nothing is padded, shorter
// clips have zeros behind their frames. Errors: INVALID_ARGUMENT for no sound, one without samples
// and one over the limit; those of parse_log_mel, AudioReader and FileOps, naming the file.
base::Result<NamedTensors> sound_tensors(base::FileOps& files, const std::string& folder,
                                         const std::vector<std::string>& sounds);

}  // namespace mortise::engine
