// Any bytes as pack.json, keyring and signature.
#include <string_view>

#include "pack/manifest.h"
#include "pack/signature.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)mortise::pack::parse_manifest(text, "pack.json");
  (void)mortise::pack::parse_keyring(text, "keyring.json");
  (void)mortise::pack::parse_signature(text, "pack.json.sig");
  return 0;
}
