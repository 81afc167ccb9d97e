// Makes a store in the folder given and, beside it, objects of several kinds as they should come
// back: NAME.bytes and NAME.ref; the same bytes as sealed files, home/jobs/NAME. For
// read_store_test.py.
#include <cstdio>
#include <cstdlib>

#include "store/sealed_files.h"
#include "store/store.h"
#include "tests/support/fixed_random.h"

namespace mortise::store {
namespace {

base::Status make(const std::string& folder) {
  auto& files = base::posix_file_ops();
  auto& random = base::system_random();
  const std::string home = folder + "/home";
  MORTISE_ASSIGN(auto root, open_file_root_key(files, random, home + "/keys"));
  MORTISE_ASSIGN(const auto ring,
                 Keyring::open(files, random, base::system_clock(), home + "/keys"));
  MORTISE_TRY(ring->unlock(std::move(root)));
  MORTISE_ASSIGN(const auto store, Store::open(files, random, base::system_clock(), home, *ring));
  MORTISE_ASSIGN(const auto domain, store->create_domain("films"));
  MORTISE_TRY(ring->rotate());
  tests::FixedRandom fixed(1);
  std::string words;
  while (words.size() < 3'000'000) words += "word" + std::to_string(fixed.below(5000)) + " ";
  const std::pair<std::string, std::string> objects[] = {{"empty", ""},
                                                         {"small", "a few bytes"},
                                                         {"frame", fixed.text(16384)},
                                                         {"media", fixed.text(9'000'000)},
                                                         {"words", words}};
  const std::string jobs = home + "/jobs";
  MORTISE_TRY(files.make_folder(jobs));
  MORTISE_ASSIGN(const DomainKey key, store->key_of("films"));
  SealedFiles sealed(files, random);
  sealed.add(jobs, key);
  for (const auto& [name, bytes] : objects) {
    MORTISE_TRY(base::write_file_durably(sealed, jobs + "/" + name, bytes));
    MORTISE_ASSIGN(const ObjectRef ref, domain->put(base::as_bytes(bytes)));
    MORTISE_TRY(base::write_file_durably(files, folder + "/" + name + ".bytes", bytes));
    MORTISE_TRY(base::write_file_durably(files, folder + "/" + name + ".ref", to_text(ref)));
  }
  return domain->finish_segment();
}

}  // namespace
}  // namespace mortise::store

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const auto made = mortise::store::make(arguments[1]);
  if (!made.ok()) std::fprintf(stderr, "%s\n", made.error().text().c_str());
  return made.ok() ? 0 : 1;
}
