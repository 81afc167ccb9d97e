// Where the files of a model folder keep their template and the names of their tokens.
#include "engine/template/chat_setup.h"

#include <array>
#include <optional>

namespace mortise::engine {
namespace {

using base::Json;

base::Result<std::optional<std::string>> read_if_there(base::FileOps& files,
                                                       const std::string& path) {
  MORTISE_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return std::optional<std::string>();
  MORTISE_ASSIGN(std::string text, base::read_file(files, path, 64 << 20));
  return std::optional<std::string>(std::move(text));
}

base::Result<Json> read_json_if_there(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const auto text, read_if_there(files, path));
  if (!text) return Json::object();
  auto json = base::parse_json(*text);
  if (!json.ok()) return std::move(json.error().at_file(path));
  return json;
}

// A token as these files spell it: a text, or an object with "content".
const Json* token_text(const Json& value) {
  if (value.is_string()) return &value;
  const Json* content = value.find("content");
  return content != nullptr && content->is_string() ? content : nullptr;
}

void add_tokens(const Json& config, Json& variables) {
  for (const auto& [name, value] : config.members()) {
    const Json* text = name.ends_with("_token") ? token_text(value) : nullptr;
    if (text != nullptr && !variables.contains(name)) variables[name] = *text;
  }
}

// "chat_template": a text, or a list of {name, template}.
const std::string* template_in(const Json& config) {
  const Json& value = config["chat_template"];
  if (value.is_string()) return &value.as_string();
  const std::string* found = nullptr;
  for (const Json& one : value.items()) {
    if (found == nullptr || one["name"].as_string() == "default") {
      found = &one["template"].as_string();
    }
  }
  return found;
}

}  // namespace

std::string_view default_chat_template() {
  return "{%- for m in messages -%}\n"
         "{%- if m.role == 'assistant' -%}ASSISTANT: {% generation %}{{ m.content }}"
         "{{ eos_token if eos_token is defined else '' }}{% endgeneration %}{{ '\\n' }}\n"
         "{%- else -%}{{ m.role | upper }}: {{ m.content }}{{ '\\n' }}\n"
         "{%- endif -%}\n"
         "{%- endfor -%}\n"
         "{%- if add_generation_prompt -%}ASSISTANT: {% endif -%}\n";
}

base::Result<ChatSetup> read_chat_setup(base::FileOps& files, const std::string& folder) {
  const auto path = [&](const char* name) { return base::join_path(folder, name); };
  const std::string config_path = path("tokenizer_config.json");
  MORTISE_ASSIGN(const Json config, read_json_if_there(files, config_path));
  MORTISE_ASSIGN(const Json special, read_json_if_there(files, path("special_tokens_map.json")));
  Json variables = Json::object();
  add_tokens(config, variables);
  add_tokens(special, variables);

  std::string source_path = path("chat_template.jinja");
  MORTISE_ASSIGN(std::optional<std::string> source, read_if_there(files, source_path));
  if (!source) {
    source_path = path("chat_template.json");
    MORTISE_ASSIGN(const Json own, read_json_if_there(files, source_path));
    if (const std::string* text = template_in(own)) source = *text;
  }
  if (!source) {
    source_path = config_path;
    if (const std::string* text = template_in(config)) source = *text;
  }
  const bool is_default = !source;
  auto parsed = Template::parse(source ? *source : default_chat_template());
  if (!parsed.ok()) return std::move(parsed.error().at_file(source_path));
  return ChatSetup{.chat_template = std::move(parsed).value(),
                   .variables = std::move(variables),
                   .is_default = is_default};
}

}  // namespace mortise::engine
