// Statements and scopes. A for loop, a macro and a with block open a scope; an if does not.
#include "engine/template/evaluate.h"

#include <algorithm>

#include "engine/template/failure.h"
#include "engine/template/text.h"

namespace mortise::engine::jinja {

using Kind = Value::Kind;

const Value* Scope::find(std::string_view name) const {
  for (const auto& [key, value] : variables) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Scope::set(const std::string& name, Value value) {
  for (auto& [key, old] : variables) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  variables.emplace_back(name, std::move(value));
}

class Evaluator::Deeper {
 public:
  explicit Deeper(Evaluator& evaluator) : evaluator_(evaluator) {
    // Expressions nest within statements and macros, so this is wider than the parser's limit.
    if (++evaluator_.depth_ > 8 * evaluator_.limits_.depth_max) {
      --evaluator_.depth_;
      throw TemplateFailure(base::Code::kResourceExhausted,
                            "The template calls itself too deeply.");
    }
  }
  ~Deeper() { --evaluator_.depth_; }

 private:
  Evaluator& evaluator_;
};

Evaluator::Evaluator(const TemplateLimits& limits, const std::optional<LocalTime>& now)
    : limits_(limits),
      now_(now),
      budget_{.steps_left = limits.steps_max, .text_bytes_max = limits.output_bytes_max},
      scope_(std::make_shared<Scope>()) {}

Evaluator::~Evaluator() = default;

Rendering Evaluator::run(const Node& root) {
  body(root);
  rendering_.text = std::move(out_);
  return std::move(rendering_);
}

void Evaluator::write(std::string_view text) {
  out_ += text;
  if (out_.size() > limits_.output_bytes_max) budget_.check_text(out_.size());
}

std::string Evaluator::captured(const std::function<void()>& run) {
  std::string outer = std::exchange(out_, {});
  ++captures_;
  try {
    run();
  } catch (...) {
    out_ = std::move(outer);
    --captures_;
    throw;
  }
  --captures_;
  return std::exchange(out_, std::move(outer));
}

Evaluator::Flow Evaluator::body(const Node& node) {
  for (const NodePtr& kid : node.kids) {
    const Flow flow = statement(*kid);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::statement(const Node& node) {
  const Deeper deeper(*this);
  budget_.spend(1);
  switch (node.kind) {
    case NodeKind::kText:
      write(node.text);
      break;
    case NodeKind::kOutput: {
      const Value value = eval(*node.kids[0]);
      try {
        write(value.to_text());
      } catch (TemplateFailure& failure) {
        failure.set_place(node.kids[0]->place);
        throw;
      }
      break;
    }
    case NodeKind::kIf:
      return branch(node);
    case NodeKind::kFor:
      loop(node, eval(*node.kids[1]), 0);
      break;
    case NodeKind::kSet:
      assign(*node.kids[0], eval(*node.kids[1]));
      break;
    case NodeKind::kSetBlock:
      set_block(node);
      break;
    case NodeKind::kMacro:
      scope_->set(node.text, Value::callable({.what = Callable::What::kMacro,
                                              .name = node.text,
                                              .self = {},
                                              .node = &node,
                                              .scope = scope_}));
      break;
    case NodeKind::kCallBlock:
      call_block(node);
      break;
    case NodeKind::kFilterBlock: {
      Value value(captured([&] { body(*node.kids[0]); }));
      for (size_t i = 1; i < node.kids.size(); ++i) value = filter(*node.kids[i], value);
      write(value.to_text());
      break;
    }
    case NodeKind::kWith:
      with_block(node);
      break;
    case NodeKind::kGeneration:
      generation(node);
      break;
    case NodeKind::kBreak:
      return Flow::kBreak;
    case NodeKind::kContinue:
      return Flow::kContinue;
    default:
      return body(node);
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::branch(const Node& node) {
  size_t i = 0;
  for (; i + 1 < node.kids.size(); i += 2) {
    if (eval(*node.kids[i]).truth()) return body(*node.kids[i + 1]);
  }
  return i < node.kids.size() ? body(*node.kids[i]) : Flow::kNext;
}

List Evaluator::looped_items(const Node& node, const Value& sequence) {
  List all;
  try {
    all = iterate(sequence, budget_);
  } catch (TemplateFailure& failure) {
    failure.set_place(node.kids[1]->place);
    throw;
  }
  if (!node.kids[2]) return all;
  List kept;
  const std::shared_ptr<Scope> outer = scope_;
  for (Value& one : all) {
    scope_ = std::make_shared<Scope>(Scope{.parent = outer, .variables = {}});
    assign(*node.kids[0], one);
    if (eval(*node.kids[2]).truth()) kept.push_back(std::move(one));
  }
  scope_ = outer;
  return kept;
}

void Evaluator::loop(const Node& node, const Value& sequence, int64_t depth0) {
  auto state = std::make_shared<Loop>();
  state->items = looped_items(node, sequence);
  state->depth0 = depth0;
  if (node.flag) state->recursive = &node;
  const std::shared_ptr<Scope> outer = scope_;
  for (size_t i = 0; i < state->items.size(); ++i) {
    state->index0 = i;
    scope_ = std::make_shared<Scope>(Scope{.parent = outer, .variables = {}});
    assign(*node.kids[0], state->items[i]);
    scope_->set("loop", Value::loop(state));
    const Flow flow = body(*node.kids[3]);
    scope_ = outer;
    if (flow == Flow::kBreak) return;
  }
  if (state->items.empty() && node.kids[4]) body(*node.kids[4]);
}

void Evaluator::assign(const Node& target, Value value) {
  if (target.kind == NodeKind::kName) return scope_->set(target.text, std::move(value));
  if (target.kind == NodeKind::kAttribute) {
    const Value object = eval(*target.kids[0]);
    if (!object.is(Kind::kNamespace)) {
      fail_at(target.place, "Only an attribute of a namespace() can be set.");
    }
    object.entries_to_change().set(Value(target.text), std::move(value));
    return;
  }
  const List parts = iterate(value, budget_);
  if (parts.size() != target.kids.size()) {
    fail_at(target.place, std::to_string(target.kids.size()) + " variables cannot take " +
                              std::to_string(parts.size()) + " values.");
  }
  for (size_t i = 0; i < parts.size(); ++i) assign(*target.kids[i], parts[i]);
}

void Evaluator::set_block(const Node& node) {
  Value value(captured([&] { body(*node.kids[1]); }));
  for (size_t i = 2; i < node.kids.size(); ++i) value = filter(*node.kids[i], value);
  assign(*node.kids[0], std::move(value));
}

void Evaluator::call_block(const Node& node) {
  const Node& call_node = *node.kids[0];
  const Value callee = eval(*call_node.kids[0]);
  Args args = args_of(call_node, 1);
  args.keyword.emplace_back("caller", Value::callable({.what = Callable::What::kMacro,
                                                       .name = "caller",
                                                       .self = {},
                                                       .node = &node,
                                                       .scope = scope_}));
  if (!callee.is(Kind::kCallable)) fail_at(call_node.place, "{% call %} needs a macro.");
  write(invoke(callee.call(), args).to_text());
}

void Evaluator::with_block(const Node& node) {
  const std::shared_ptr<Scope> outer = scope_;
  auto inner = std::make_shared<Scope>(Scope{.parent = outer, .variables = {}});
  for (size_t i = 0; i + 2 < node.kids.size(); i += 2) {
    Value value = eval(*node.kids[i + 1]);  // sees the variables outside
    scope_ = inner;
    assign(*node.kids[i], std::move(value));
    scope_ = outer;
  }
  scope_ = inner;
  body(*node.kids.back());
  scope_ = outer;
}

void Evaluator::generation(const Node& node) {
  if (captures_ > 0) rendering_.generation_hidden = true;
  const size_t begin = out_.size();
  const std::shared_ptr<Scope> outer = scope_;
  scope_ = std::make_shared<Scope>(Scope{.parent = outer, .variables = {}});
  body(*node.kids[0]);
  scope_ = outer;
  if (captures_ == 0) rendering_.generation.push_back({.begin = begin, .end = out_.size()});
}

Value Evaluator::call_macro(const Callable& callable, const Args& args) {
  const Node& node = *callable.node;
  const std::shared_ptr<Scope> home = callable.scope.lock();
  if (!home) fail("The macro " + callable.name + " is called outside of the block it belongs to.");
  const Deeper deeper(*this);
  // A macro: kids are the defaults, then the body. A call block has the call before them.
  const size_t first = node.kind == NodeKind::kCallBlock ? 1 : 0;
  const std::shared_ptr<Scope> outer = scope_;
  auto inner = std::make_shared<Scope>(Scope{.parent = home, .variables = {}});
  if (args.positional.size() > node.names.size()) {
    fail("The macro " + callable.name + " takes " + std::to_string(node.names.size()) +
         " arguments, not " + std::to_string(args.positional.size()) + ".");
  }
  for (const auto& [name, value] : args.keyword) {
    const bool known = std::find(node.names.begin(), node.names.end(), name) != node.names.end();
    if (name == "caller") {
      inner->set(name, value);
    } else if (!known) {
      fail("The macro " + callable.name + " has no parameter \"" + name + "\".");
    }
  }
  for (size_t i = 0; i < node.names.size(); ++i) {
    const std::string& name = node.names[i];
    const Value* given = args.find(i, name);
    Value value = Value::undefined("The parameter \"" + name + "\" was not given.");
    if (given != nullptr) {
      value = *given;
    } else if (node.kids[first + i]) {
      scope_ = inner;  // a default may use the parameters before it
      value = eval(*node.kids[first + i]);
      scope_ = outer;
    }
    inner->set(name, std::move(value));
  }
  scope_ = inner;
  std::string text = captured([&] { body(*node.kids.back()); });
  scope_ = outer;
  return Value(std::move(text));
}

}  // namespace mortise::engine::jinja
