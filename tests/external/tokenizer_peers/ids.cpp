// tokenizer_ids LIBRARY FOLDER URI CONFIG DOCUMENTS OUT: the ids that a tokenizer pack gives
// through its C table, for peers_test.py. FOLDER's files are what the pack can open; DOCUMENTS
// holds texts with a zero byte behind each, OUT gets int32 ids with -1 behind each text.
#include <mortise/kind/tokenizer.h>
#include <mortise/cpp/arrow_build.hpp>
#include <mortise/cpp/arrow_read.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

int fail(const sdk::Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.message.c_str());
  return 1;
}

int run(char** words) {
  packs_test::PackUnderTest pack(words[1]);
  for (const auto& entry : std::filesystem::directory_iterator(words[2])) {
    if (!entry.is_regular_file()) continue;
    pack.files.content[entry.path().filename().string()] = read_file(entry.path());
  }
  const auto& table = pack.get<mortise_tokenizer>(MORTISE_KIND_TOKENIZER);
  mortise_tokenizer_instance* instance = nullptr;
  const sdk::Failure made = packs_test::failure_of([&](mortise_error* error) {
    return table.create(sdk::text(words[3]), sdk::text(words[4]), &instance, error);
  });
  if (made.code != MORTISE_STATUS_OK) return fail(made);
  const std::string documents = read_file(words[5]);
  sdk::TextBuilder builder;
  for (size_t at = 0; at < documents.size();) {
    const size_t end = documents.find('\0', at);
    builder.append(std::string_view(documents).substr(at, end - at));
    at = end + 1;
  }
  const sdk::Array texts = builder.finish();
  mortise_encode_options options{};
  options.struct_size = sizeof(options);
  ArrowArray out{};
  const sdk::Failure encoded = packs_test::failure_of([&](mortise_error* error) {
    return table.encode_batch(instance, texts.get(), &options, &out, error);
  });
  table.destroy(instance);
  if (encoded.code != MORTISE_STATUS_OK) return fail(encoded);
  std::vector<int32_t> ids;
  const sdk::StructView view(&out, 2);
  const auto lists = view.column<sdk::ListView<sdk::NumberView<int32_t>>>(0, "ids");
  for (int64_t row = 0; row < lists.size(); ++row) {
    for (int64_t i = lists.begin(row); i < lists.end(row); ++i) ids.push_back(lists.items()[i]);
    ids.push_back(-1);
  }
  out.release(&out);
  std::ofstream(words[6], std::ios::binary)
      .write(reinterpret_cast<const char*>(ids.data()),
             static_cast<std::streamsize>(ids.size() * sizeof(int32_t)));
  return 0;
}

}  // namespace
}  // namespace mortise

int main(int count, char** words) {
  return count == 7 ? mortise::run(words) : 2;
}
