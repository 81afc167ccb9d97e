// mortise.config/1 over base::Json, and mortise.rng/1. A configuration is parsed at every read:
// plugins read a handful of fields once.
#include <mortise/service/config.h>
#include <mortise/service/rng.h>

#include <array>

#include "base/crypto.h"
#include "base/json.h"
#include "plugin/error_box.h"
#include "plugin/host_state.h"

namespace mortise::plugin {
namespace {

using base::Json;

// Runs `read` on the value at path; NOT_FOUND when it is absent.
template <class Read>
mortise_status with_value(mortise_text config, mortise_text path, Read read) {
  const auto parsed = base::parse_json(view_of(config), {.size_bytes_max = 16u << 20});
  if (!parsed.ok()) return MORTISE_STATUS_INVALID_ARGUMENT;
  const Json* value = parsed->pointer(view_of(path));
  if (value == nullptr) return MORTISE_STATUS_NOT_FOUND;
  return read(*value) ? MORTISE_STATUS_OK : MORTISE_STATUS_INVALID_ARGUMENT;
}

mortise_status get_bool(mortise_host*, mortise_text config, mortise_text path, int32_t* out_value) {
  return with_value(config, path, [&](const Json& value) {
    if (value.is_bool()) *out_value = value.as_bool() ? 1 : 0;
    return value.is_bool();
  });
}

mortise_status get_int(mortise_host*, mortise_text config, mortise_text path, int64_t* out_value) {
  return with_value(config, path, [&](const Json& value) {
    const bool fits = value.is_integer() &&
                      (value.kind() != Json::Kind::kUint || value.as_uint() <= uint64_t{INT64_MAX});
    if (fits) *out_value = value.as_int();
    return fits;
  });
}

mortise_status get_double(mortise_host*, mortise_text config, mortise_text path,
                          double* out_value) {
  return with_value(config, path, [&](const Json& value) {
    if (value.is_number()) *out_value = value.as_double();
    return value.is_number();
  });
}

mortise_status get_text(mortise_host*, mortise_text config, mortise_text path,
                        mortise_sink* out_value) {
  mortise_status written = MORTISE_STATUS_OK;
  const mortise_status found = with_value(config, path, [&](const Json& value) {
    if (!value.is_string()) return false;
    const std::string& text = value.as_string();
    written = out_value->write(out_value, text.data(), text.size());
    return true;
  });
  return found != MORTISE_STATUS_OK ? found : written;
}

mortise_status count(mortise_host*, mortise_text config, mortise_text path, uint64_t* out_count) {
  return with_value(config, path, [&](const Json& value) {
    const bool is_container = value.is_array() || value.is_object();
    if (is_container) *out_count = value.size();
    return is_container;
  });
}

// Philox4x32-10 (Salmon et al. 2011, figure 3 and table 2).
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(a)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

struct StreamKey {
  uint32_t low = 0, high = 0;
};

// First 8 bytes of SHA-256(seed as 8 bytes, stream), little-endian.
StreamKey key_of(uint64_t seed, std::string_view stream) {
  std::string text(8, '\0');
  for (size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(seed >> (8 * i));
  text += stream;
  const base::Digest digest = base::sha256(base::as_bytes(text));
  uint64_t key = 0;
  for (size_t i = 0; i < 8; ++i) key |= uint64_t{static_cast<uint8_t>(digest[i])} << (8 * i);
  return {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
}

uint64_t value_at(StreamKey key, uint64_t index) {
  const auto words = philox(
      {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0}, key.low, key.high);
  return uint64_t{words[1]} << 32 | words[0];
}

void uniform_u64(mortise_host* host, mortise_text stream, uint64_t first, uint64_t* out,
                 uint64_t count) {
  const StreamKey key = key_of(host->state->options.seed, view_of(stream));
  for (uint64_t i = 0; i < count; ++i) out[i] = value_at(key, first + i);
}

void uniform_double(mortise_host* host, mortise_text stream, uint64_t first, double* out,
                    uint64_t count) {
  const StreamKey key = key_of(host->state->options.seed, view_of(stream));
  for (uint64_t i = 0; i < count; ++i) {
    out[i] = static_cast<double>(value_at(key, first + i) >> 11) * 0x1p-53;
  }
}

const mortise_config_service kConfig = {sizeof kConfig, 0,         &get_bool, &get_int,
                                        &get_double,    &get_text, &count};
const mortise_rng_service kRng = {sizeof kRng, 0, &uniform_u64, &uniform_double};

}  // namespace

const void* config_service() {
  return &kConfig;
}
const void* rng_service() {
  return &kRng;
}

}  // namespace mortise::plugin
