// Template: the two public functions, where failures become values.
#include "engine/template/template.h"

#include "base/utf8.h"
#include "engine/template/ast.h"
#include "engine/template/evaluate.h"
#include "engine/template/failure.h"

namespace mortise::engine {

struct Template::Tree {
  jinja::NodePtr root;
  TemplateLimits limits;
  bool has_generation = false;
};

namespace {

base::Error as_error(const jinja::TemplateFailure& failure) {
  const jinja::Place& place = failure.place();
  std::string message = "Chat template";
  if (place.line > 0) {
    message += " line " + std::to_string(place.line) + ", column " + std::to_string(place.column);
  }
  base::Error error(failure.code(), message + ": " + failure.message());
  if (place.line > 0) {
    error.with("line", std::to_string(place.line)).with("column", std::to_string(place.column));
  }
  return error;
}

bool finds_generation(const jinja::Node& node) {
  if (node.kind == jinja::NodeKind::kGeneration) return true;
  for (const jinja::NodePtr& kid : node.kids) {
    if (kid && finds_generation(*kid)) return true;
  }
  return false;
}

}  // namespace

base::Result<Template> Template::parse(std::string_view source, const TemplateLimits& limits) {
  if (source.size() > limits.source_bytes_max) {
    return base::Error(base::Code::kResourceExhausted,
                       "The chat template has " + std::to_string(source.size()) +
                           " bytes; at most " + std::to_string(limits.source_bytes_max) +
                           " are allowed.");
  }
  const size_t bad = base::utf8_error_offset(source);
  if (bad != SIZE_MAX) {
    return base::Error(base::Code::kInvalidArgument, "The chat template is not valid UTF-8.")
        .at_byte(static_cast<int64_t>(bad));
  }
  try {
    auto tree = std::make_shared<Tree>();
    tree->root = jinja::parse_tree(source, limits.depth_max);
    tree->limits = limits;
    tree->has_generation = finds_generation(*tree->root);
    return Template(std::move(tree));
  } catch (const jinja::TemplateFailure& failure) {
    return as_error(failure);
  }
}

base::Result<Rendering> Template::render(const base::Json& variables,
                                         const std::optional<LocalTime>& now) const {
  try {
    jinja::Evaluator evaluator(tree_->limits, now);
    for (const auto& [name, value] : variables.members()) {
      evaluator.define(name, jinja::Value::from_json(value));
    }
    return evaluator.run(*tree_->root);
  } catch (const jinja::TemplateFailure& failure) {
    return as_error(failure);
  }
}

bool Template::has_generation_blocks() const {
  return tree_->has_generation;
}

}  // namespace mortise::engine
