// The evaluator: walks a parsed template once and writes its text. Made by Template::render for
// each rendering.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/template/ast.h"
#include "engine/template/builtin.h"
#include "engine/template/template.h"

namespace mortise::engine::jinja {

struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string, Value>> variables;
  const Value* find(std::string_view name) const;  // here only
  void set(const std::string& name, Value value);
};

class Evaluator {
 public:
  Evaluator(const TemplateLimits& limits, const std::optional<LocalTime>& now);
  ~Evaluator();
  void define(const std::string& name, Value value) { scope_->set(name, std::move(value)); }
  // Throws TemplateFailure.
  Rendering run(const Node& root);

 private:
  enum class Flow { kNext, kBreak, kContinue };
  class Deeper;

  Flow statement(const Node& node);
  Flow body(const Node& node);
  Flow branch(const Node& node);
  void loop(const Node& node, const Value& sequence, int64_t depth0);
  List looped_items(const Node& node, const Value& sequence);
  void assign(const Node& target, Value value);
  void set_block(const Node& node);
  void call_block(const Node& node);
  void with_block(const Node& node);
  void generation(const Node& node);
  void write(std::string_view text);
  // The text that `run` writes.
  std::string captured(const std::function<void()>& run);

  Value eval(const Node& node);
  Value eval_node(const Node& node);
  Value eval_operator(const Node& node);
  Value lookup(const Node& node) const;
  Value compare(const Node& node);
  Value call(const Node& node);
  Value filter(const Node& node, const Value& input);
  Args args_of(const Node& node, size_t first);
  Value invoke(const Callable& callable, const Args& args);
  Value call_global(const std::string& name, const Args& args);
  Value call_macro(const Callable& callable, const Args& args);
  Value call_loop(const Callable& callable, const Args& args);
  Value range(const Args& args);
  Value time_text(const Args& args) const;

  const TemplateLimits& limits_;
  const std::optional<LocalTime>& now_;
  Budget budget_;
  int depth_ = 0;
  std::shared_ptr<Scope> scope_;
  std::string out_;
  int captures_ = 0;
  Rendering rendering_;
};

}  // namespace mortise::engine::jinja
