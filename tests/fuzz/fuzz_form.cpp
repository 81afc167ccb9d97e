// Any bytes as a multipart form, cut in two; and as the Content-Type of one.
#include "server/multipart.h"
#include "tests/fuzz/cut.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using mortise::base::ByteView;
  using mortise::server::FormReader;
  (void)FormReader::begin({reinterpret_cast<const char*>(data), size}, {});
  return mortise::fuzz::same_however_cut(data, size, [](ByteView bytes, size_t cut) {
    mortise::fuzz::Seen seen;
    auto reader = FormReader::begin("multipart/form-data; boundary=b",
                                    {.begin_part =
                                         [&](const std::string& name, const std::string& filename) {
                                           return seen.begin(name + "|" + filename);
                                         },
                                     .data = [&](ByteView piece) { return seen.data(piece); },
                                     .end_part = [&] { return seen.end(); }});
    if (!reader.ok()) std::abort();
    return seen.whole(reader->take(bytes.first(cut)).ok() &&
                      reader->take(bytes.subspan(cut)).ok() && reader->finish().ok());
  });
}
