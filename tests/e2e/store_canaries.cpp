// store_canaries HOME ROW FILE NAME: puts three canaries into a home through hub and store, as rows
// that compress, a file that does not, and the name of a file. Built twice by tests/e2e: with the
// real AES-256-GCM, and as null_ingest with one that does not encrypt.
#include <cstdio>
#include <cstdlib>

#include "hub/hub.h"

namespace mortise {
namespace {

template <class T>
T need(base::Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.error().text().c_str());
    std::exit(1);
  }
  return std::move(result).value();
}
void need(const base::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error().text().c_str());
  std::exit(1);
}

void ingest(const std::string& home, const std::string& row, const std::string& file,
            const std::string& name) {
  const auto hub = need(
      hub::Hub::open(base::posix_file_ops(), base::system_clock(), base::system_random(), home));
  const std::string id = need(hub->domains().id_of("films"));
  const auto domain = need(hub->domains().open(id));
  store::RowTableWriter rows(domain, need(hub->store().key_of(id)));
  for (int i = 0; i < 40; ++i) {
    need(rows.add(R"({"n":)" + std::to_string(i) + R"(,"query":")" + row + "\"}"));
  }
  need(rows.finish());
  const std::string picture =
      "\x89PNG\r\n\x1a\n" + file;  // kept raw, as what is compressed already
  const store::ObjectRef ref = need(domain->put(base::as_bytes(picture)));
  need(store::write_names(domain, {{name + ".png", ref}}));
  need(domain->finish_segment());
}

}  // namespace
}  // namespace mortise

int main(int count, char** words) {
  if (count != 5) {
    std::fputs("usage: store_canaries HOME ROW FILE NAME\n", stderr);
    return 2;
  }
  mortise::ingest(words[1], words[2], words[3], words[4]);
  return 0;
}
