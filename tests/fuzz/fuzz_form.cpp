// Any bytes as a multipart form, cut in two at a place that the first byte chooses: the cut changes
// nothing.
#include <cstdlib>
#include <string>

#include "server/multipart.h"

namespace {

using mortise::base::ByteView;

// What the reader made of the bytes: every part's name and content, and whether it liked the whole.
std::string read(ByteView bytes, size_t cut) {
  std::string seen;
  mortise::server::FormHooks hooks;
  hooks.begin_part = [&](const std::string& name,
                         const std::string& filename) -> mortise::base::Status {
    seen += "[" + name + "|" + filename + "]";
    return {};
  };
  hooks.data = [&](ByteView piece) -> mortise::base::Status {
    seen += mortise::base::as_text(piece);
    return {};
  };
  hooks.end_part = [&]() -> mortise::base::Status {
    seen += "|";
    return {};
  };
  auto reader = mortise::server::FormReader::begin("multipart/form-data; boundary=b", hooks);
  if (!reader.ok()) std::abort();
  const bool ok = reader->take(bytes.first(cut)).ok() && reader->take(bytes.subspan(cut)).ok() &&
                  reader->finish().ok();
  return ok ? seen + "." : "refused";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  const size_t cut = size == 0 ? 0 : size * data[0] / 256;
  if (read(bytes, cut) != read(bytes, size)) std::abort();
  (void)mortise::server::FormReader::begin(mortise::base::as_text(bytes), {});
  return 0;
}
