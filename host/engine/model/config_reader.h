// Reading config.json field by field: what config.cpp (decoders), config_vision.cpp and
// config_audio.cpp (towers) share. Knows no tensors. Not for other folders.
#pragma once

#include <algorithm>
#include <string>

#include "engine/model/config.h"

namespace mortise::engine {

inline constexpr int64_t kDimensionMax = 1 << 24;  // no dimension of a real model is larger
inline constexpr int64_t kLayersMax = 1000;

inline base::Error config_error(const std::string& field, const std::string& message) {
  base::Error error(base::Code::kInvalidArgument, "\"" + field + "\" " + message,
                    "Mend config.json or fetch it again.");
  return std::move(error.at_field(field));
}

inline base::Error unknown_choice(const std::string& field, const std::string& value,
                                  const std::string& known) {
  base::Error error(base::Code::kUnimplemented,
                    "\"" + field + "\" is \"" + value + "\", which this engine does not compute.",
                    "Known here: " + known + ".");
  return std::move(error.at_field(field));
}

// Reads fields of one object; the first error stays.
class ConfigReader {
 public:
  explicit ConfigReader(const base::Json& json) : json_(json) {}

  void size(const char* field, int64_t& out, int64_t max = kDimensionMax) {
    const base::Json* value = present(field);
    if (value == nullptr) return;
    const int64_t number = value->as_int(-1);
    if (!value->is_integer() || number < 1 || number > max) {
      fail(config_error(field, "must be a whole number from 1 to " + std::to_string(max) + "."));
      return;
    }
    out = number;
  }
  void id(const char* field, int64_t& out) {
    const base::Json* value = present(field);
    if (value == nullptr) return;
    if (!value->is_integer() || value->as_int(-1) < 0 || value->as_int() >= kDimensionMax) {
      fail(config_error(field, "must be a token id."));
      return;
    }
    out = value->as_int();
  }
  void number(const char* field, double& out) {
    const base::Json* value = present(field);
    if (value == nullptr) return;
    if (!value->is_number() || !(value->as_double() > 0)) {
      fail(config_error(field, "must be a number above 0."));
      return;
    }
    out = value->as_double();
  }
  void flag(const char* field, bool& out) {
    const base::Json* value = present(field);
    if (value == nullptr) return;
    if (!value->is_bool()) {
      fail(config_error(field, "must be true or false."));
      return;
    }
    out = value->as_bool();
  }
  void text(const char* field, std::string& out) {
    const base::Json* value = present(field);
    if (value == nullptr) return;
    if (!value->is_string()) {
      fail(config_error(field, "must be text."));
      return;
    }
    out = value->as_string();
  }
  const base::Json* present(const char* field) const {
    const base::Json* value = json_.find(field);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  void fail(base::Error error) {
    if (error_.ok()) error_ = std::move(error);
  }
  const base::Status& status() const { return error_; }

 private:
  const base::Json& json_;
  base::Status error_;
};

// A decoder's fields, defaults by `model_type`. A config of Qwen-VL must give mrope_section.
base::Result<TextConfig> read_text(const base::Json& json, const std::string& model_type);

// The families with a tower; config.model_type is set already.
base::Status read_llava(const base::Json& json, ModelConfig& config);
base::Status read_clip(const base::Json& json, ModelConfig& config);
base::Status read_siglip(const base::Json& json, ModelConfig& config);
base::Status read_qwen_vl(const base::Json& json, ModelConfig& config);
base::Status read_whisper(const base::Json& json, ModelConfig& config);
base::Status read_qwen2_audio(const base::Json& json, ModelConfig& config);

// UNIMPLEMENTED naming the field unless this is one of the three kinds of gelu.
base::Status check_activation(const char* field, const std::string& name);

}  // namespace mortise::engine
