// A tiny run on conversations: one byte a token, and a template that marks each role by a letter.
#pragma once

#include "tests/engine/data/byte_encoder.h"
#include "tests/engine/train/tiny_run.h"

namespace mortise::engine {

class TalkRun : public TinyRun {
 protected:
  void SetUp() override {
    vocabulary_ = 302;
    encoder_ = &bytes_;
    TinyRun::SetUp();
    std::ofstream(folder_ + "/model/chat_template.jinja")
        << "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}"
           "{{ '</s>' if m.role == 'assistant' }}\n{% endfor %}"
           "{% if add_generation_prompt %}a:{% endif %}";
  }
  void write_talk(const std::string& task_type, const std::vector<std::string>& rows) {
    std::ofstream file(folder_ + "/rows.jsonl");
    for (const std::string& row : rows) file << base::parse_json(row)->dump() << "\n";
    std::ofstream(folder_ + "/dataset.json")
        << base::Json::object({{"rows_file", "rows.jsonl"},
                               {"task_type", task_type},
                               {"media", base::Json::object()}})
               .dump();
  }

  ByteEncoder bytes_;
};

}  // namespace mortise::engine
