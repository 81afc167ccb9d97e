// Any bytes as a tar stream, cut in two.
#include "store/tar_reader.h"
#include "tests/fuzz/cut.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using mortise::base::ByteView;
  return mortise::fuzz::same_however_cut(data, size, [](ByteView bytes, size_t cut) {
    mortise::fuzz::Seen seen;
    mortise::store::TarHooks hooks;
    hooks.begin_file = [&](const std::string& name, uint64_t) { return seen.begin(name); };
    hooks.data = [&](ByteView piece) { return seen.data(piece); };
    hooks.end_file = [&] { return seen.end(); };
    mortise::store::TarReader reader(hooks, 100);
    return seen.whole(reader.take(bytes.first(cut)).ok() && reader.take(bytes.subspan(cut)).ok() &&
                      reader.finish().ok());
  });
}
