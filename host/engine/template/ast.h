// The tree of a template. One node type; what `kids` and `names` hold depends on the kind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/template/failure.h"
#include "engine/template/value.h"

namespace mortise::engine::jinja {

enum class NodeKind {
  // Statements.
  kBody,         // kids: statements
  kText,         // text
  kOutput,       // kids: expression
  kIf,           // kids: condition, body, condition, body, ... [else body]
  kFor,          // kids: target, iterable, filter or null, body, else body or null; flag: recursive
  kSet,          // kids: target, value. A target is a name, a tuple of them, or an attribute
  kSetBlock,     // kids: target, body, filters...; the input of the first filter is null
  kMacro,        // text: name; names: parameters; kids: default or null of each, body
  kCallBlock,    // names: parameters; kids: call, default or null of each, body
  kFilterBlock,  // kids: body, filters...
  kWith,         // kids: target, value, ..., body
  kGeneration,   // kids: body
  kBreak,
  kContinue,
  // Expressions.
  kConst,      // value
  kName,       // text
  kList,       // kids: items
  kTuple,      // kids: items
  kDict,       // kids: key, value, ...
  kAttribute,  // text: name; kids: object
  kItem,       // kids: object, key
  kSlice,      // kids: object, begin, end, step; each of the last three may be null
  kCall,       // kids: callee, arguments (kKeyword last)
  kKeyword,    // text: name; kids: value
  kFilter,     // text: name; kids: input or null, arguments
  kTest,       // text: name; kids: input, arguments; flag: "is not"
  kNot,
  kNegative,
  kPositive,
  kAnd,
  kOr,
  kConditional,  // kids: value, condition, other value or null
  kBinary,       // text: + - * / // % **
  kCompare,      // names: operators; kids: operands, one more
  kConcat,       // kids: operands of ~
};

using NodePtr = std::unique_ptr<Node>;

struct Node {
  NodeKind kind = NodeKind::kBody;
  Place place;
  bool flag = false;
  std::string text;
  Value value;
  std::vector<std::string> names;
  std::vector<NodePtr> kids;
};

// Throws TemplateFailure with line and column. depth_max: nesting of tags and brackets.
NodePtr parse_tree(std::string_view source, int depth_max);

}  // namespace mortise::engine::jinja
