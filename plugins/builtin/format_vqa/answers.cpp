// See answers.h.
#include "answers.h"

#include <mortise/cpp/format_rows.hpp>

namespace mortise::format_vqa {
namespace {

std::string head_of(const std::string& name) {
  const sdk::File file = sdk::File::open(name);
  std::string head(64 << 10, '\0');
  head.resize(file.read_at(0, head.data(), head.size()));
  return head;
}

std::vector<std::string> documents_beside(const std::string& questions) {
  const std::string folder = sdk::folder_of(questions);
  std::vector<std::string> found;
  for (const std::string& name : sdk::list_files(folder)) {
    const std::string full = sdk::name_in(folder, name);
    if (full == questions || !name.ends_with(".json")) continue;
    if (is_annotations(sdk::outline_of(head_of(full)))) found.push_back(full);
  }
  return found;
}

}  // namespace

bool is_questions(const sdk::JsonOutline& outline) {
  const sdk::JsonShape* list = outline.find("questions");
  return list != nullptr && list->has({"question_id", "question"});
}

bool is_annotations(const sdk::JsonOutline& outline) {
  const sdk::JsonShape* list = outline.find("annotations");
  return list != nullptr && (list->has({"question_id", "multiple_choice_answer"}) ||
                             list->has({"question_id", "answers"}));
}

std::optional<std::string> find_annotations(const std::string& questions,
                                            const std::string& subset) {
  std::vector<std::string> found = documents_beside(questions);
  if (found.size() > 1 && !subset.empty()) {
    std::erase_if(found, [&](const std::string& name) { return name.find(subset) == name.npos; });
  }
  if (found.empty()) return std::nullopt;
  if (found.size() == 1) return found[0];
  throw sdk::invalid_argument("Both " + found[0] + " and " + found[1] +
                              " could hold the annotations of these questions.")
      .at(questions)
      .with_hint("Say which: the configuration's member \"annotations\".");
}

Answers Answers::read(const std::string& name) {
  Answers answers;
  answers.file = name;
  sdk::JsonWalker walker{sdk::ByteReader(name)};
  const bool is_wrapped = walker.peek() != '[';
  if (is_wrapped && !walker.enter_member("annotations")) {
    throw sdk::invalid_argument("The document has no member \"annotations\".").at(name, -1, 0);
  }
  sdk::index_records(&walker, "question_id", "The annotation", &answers.entries, [](sdk::Json) {});
  if (is_wrapped) walker.leave_object();
  walker.expect_end();
  const auto before = [](const sdk::JsonEntry& a, const sdk::JsonEntry& b) {
    return a.key < b.key;
  };
  std::stable_sort(answers.entries.begin(), answers.entries.end(), before);
  for (size_t i = 1; i < answers.entries.size(); ++i) {
    if (answers.entries[i].key != answers.entries[i - 1].key) continue;
    throw sdk::invalid_argument("The question " + std::to_string(answers.entries[i].key) +
                                " is answered twice.")
        .at(name, -1, static_cast<int64_t>(answers.entries[i].begin), "question_id");
  }
  return answers;
}

const sdk::JsonEntry* Answers::find(int64_t question_id) const {
  const auto found =
      std::lower_bound(entries.begin(), entries.end(), question_id,
                       [](const sdk::JsonEntry& entry, int64_t key) { return entry.key < key; });
  return found != entries.end() && found->key == question_id ? &*found : nullptr;
}

}  // namespace mortise::format_vqa
