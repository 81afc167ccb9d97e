// Any bytes as a tar stream, cut in two at a place that the first byte chooses: the cut changes
// nothing.
#include <cstdlib>
#include <string>

#include "store/tar_reader.h"

namespace {

using mortise::base::ByteView;

// What the reader made of the bytes: every name and content, and whether it liked the whole.
std::string read(ByteView bytes, size_t cut) {
  std::string seen;
  mortise::store::TarHooks hooks;
  hooks.begin_file = [&](const std::string& name, uint64_t) -> mortise::base::Status {
    seen += "[" + name + "]";
    return {};
  };
  hooks.data = [&](ByteView piece) -> mortise::base::Status {
    seen += mortise::base::as_text(piece);
    return {};
  };
  hooks.end_file = [&]() -> mortise::base::Status {
    seen += "|";
    return {};
  };
  mortise::store::TarReader reader(hooks, 100);
  const bool ok = reader.take(bytes.first(cut)).ok() && reader.take(bytes.subspan(cut)).ok() &&
                  reader.finish().ok();
  return ok ? seen + "." : "refused";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  const size_t cut = size == 0 ? 0 : size * data[0] / 256;
  if (read(bytes, cut) != read(bytes, size)) std::abort();
  return 0;
}
