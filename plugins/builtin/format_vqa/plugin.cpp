// The face of the pack: mortise.dataset_format/1 for VQA v2: questions joined to annotations.
// Columns: row, utf8; byte_offset, int64, where the question begins in its file.
#include <mortise/cpp/format_table.hpp>
#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/plugin.hpp>

#include "question_reader.h"

namespace mortise::format_vqa {
namespace {

class Vqa : public sdk::RowFormat {
 public:
  static sdk::ProbeResult probe(const sdk::FormatSample& sample) {
    const sdk::JsonOutline outline = sdk::outline_of(sample.head);
    if (is_questions(outline)) return {97, "The object holds VQA questions."};
    if (is_annotations(outline)) {
      return {1, "The object holds VQA annotations: they are read beside their questions."};
    }
    return {0, "The file holds no VQA questions at its top."};
  }

  Vqa(std::vector<std::string> uris, sdk::Json config)
      : RowFormat(sdk::RowFiles::open(std::move(uris)), config) {
    for (const std::string& name : files().names) {
      Naming naming = read_naming(name);
      naming.folder = config.get("image_folder", "");
      if (config["subset"].exists()) naming.subset = config["subset"].as_text();
      answers_.push_back(answers_of(name, naming, config["annotations"]));
      namings_.push_back(std::move(naming));
    }
  }

 protected:
  std::unique_ptr<sdk::RowReader> open_shard(uint32_t shard,
                                             const sdk::RowPosition* from) const override {
    return std::make_unique<QuestionReader>(files().names[shard], namings_[shard], answers_[shard],
                                            from);
  }

 private:
  static Answers answers_of(const std::string& name, const Naming& naming, sdk::Json wanted) {
    if (wanted.exists()) {
      if (wanted.as_text().empty()) return {};
      return Answers::read(sdk::name_in(sdk::folder_of(name), wanted.as_text()));
    }
    if (const auto found = find_annotations(name, naming.subset)) return Answers::read(*found);
    sdk::log(MORTISE_LOG_WARNING, "There are no annotations beside " + name +
                                      ": its questions are read without answers.");
    return {};
  }

  std::vector<Naming> namings_;  // a file
  std::vector<Answers> answers_;
};

}  // namespace
}  // namespace mortise::format_vqa

using mortise::format_vqa::Vqa;

MORTISE_PLUGIN("mortise.format_vqa",
               {MORTISE_KIND_DATASET_FORMAT, mortise::sdk::format_table<Vqa>()});
