// The annotations that belong to a file of VQA questions: found beside it, read by question.
//
// Called by plugin.cpp. An annotation file is {"annotations": [...]}; a result file is an array of
// {question_id, answer}. Memory is 24 bytes an answer.
#pragma once

#include <mortise/cpp/json_index.hpp>
#include <mortise/cpp/json_outline.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mortise::format_vqa {

bool is_questions(const sdk::JsonOutline& outline);
bool is_annotations(const sdk::JsonOutline& outline);

// The annotation file in the folder of `questions`; nothing when there is none. subset: decides
// among several. Throws INVALID_ARGUMENT when it does not.
std::optional<std::string> find_annotations(const std::string& questions,
                                            const std::string& subset);

struct Answers {
  std::string file;                     // "" without annotations
  std::vector<sdk::JsonEntry> entries;  // sorted; key: question_id

  // Throws INVALID_ARGUMENT with file and byte, also for a question that is answered twice.
  static Answers read(const std::string& name);
  const sdk::JsonEntry* find(int64_t question_id) const;  // NULL when there is none
};

}  // namespace mortise::format_vqa
