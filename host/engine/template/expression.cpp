// Expressions, in Jinja's order of precedence: a if b, or, and, not, compare and in, + -, ~,
// * / // %, **, unary, then calls, subscripts, filters and tests.
#include <charconv>

#include "engine/template/parser.h"

namespace mortise::engine::jinja {

using TokenKind = Token::Kind;

ExpressionParser::Deeper::Deeper(ExpressionParser& parser) : parser_(parser) {
  if (++parser.depth_ > parser.depth_max_) {
    fail_at(parser.now().place,
            "The template is nested deeper than " + std::to_string(parser.depth_max_) + " levels.",
            base::Code::kResourceExhausted);
  }
}

void ExpressionParser::unexpected(std::string_view wanted) const {
  std::string found = now().text;
  if (now().kind == TokenKind::kText) found = "text";
  if (now().kind == TokenKind::kEnd) found = "end of the template";
  if (now().kind == TokenKind::kBlockEnd) found = "%}";
  if (now().kind == TokenKind::kOutputEnd) found = "}}";
  fail_at(now().place, "Expected " + std::string(wanted) + " and found \"" + found + "\".");
}

bool ExpressionParser::skip_operator(std::string_view text) {
  if (!is_operator(text)) return false;
  take();
  return true;
}
bool ExpressionParser::skip_name(std::string_view text) {
  if (!is_name(text)) return false;
  take();
  return true;
}
void ExpressionParser::want_operator(std::string_view text) {
  if (!skip_operator(text)) unexpected("\"" + std::string(text) + "\"");
}
void ExpressionParser::want_name(std::string_view text) {
  if (!skip_name(text)) unexpected("\"" + std::string(text) + "\"");
}
std::string ExpressionParser::take_name(std::string_view what) {
  if (now().kind != TokenKind::kName) unexpected(what);
  return take().text;
}

NodePtr ExpressionParser::make(NodeKind kind, std::string text) const {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->place = now().place;
  node->text = std::move(text);
  return node;
}

NodePtr ExpressionParser::expression(bool with_condition) {
  const Deeper deeper(*this);
  return with_condition ? condition() : either();
}

NodePtr ExpressionParser::expression_or_tuple(bool with_condition) {
  NodePtr first = expression(with_condition);
  if (!is_operator(",")) return first;
  NodePtr tuple = make(NodeKind::kTuple);
  tuple->kids.push_back(std::move(first));
  while (skip_operator(",")) {
    if (now().kind == TokenKind::kBlockEnd || now().kind == TokenKind::kOutputEnd ||
        is_operator(")") || is_operator("=")) {
      break;
    }
    tuple->kids.push_back(expression(with_condition));
  }
  return tuple;
}

NodePtr ExpressionParser::condition() {
  NodePtr value = either();
  while (is_name("if")) {
    NodePtr node = make(NodeKind::kConditional);
    take();
    node->kids.push_back(std::move(value));
    node->kids.push_back(either());
    node->kids.push_back(skip_name("else") ? expression() : nullptr);
    value = std::move(node);
  }
  return value;
}

NodePtr ExpressionParser::either() {
  NodePtr left = both();
  while (is_name("or")) {
    NodePtr node = make(NodeKind::kOr);
    take();
    node->kids.push_back(std::move(left));
    node->kids.push_back(both());
    left = std::move(node);
  }
  return left;
}

NodePtr ExpressionParser::both() {
  NodePtr left = negation();
  while (is_name("and")) {
    NodePtr node = make(NodeKind::kAnd);
    take();
    node->kids.push_back(std::move(left));
    node->kids.push_back(negation());
    left = std::move(node);
  }
  return left;
}

NodePtr ExpressionParser::negation() {
  if (!is_name("not")) return comparison();
  const Deeper deeper(*this);
  NodePtr node = make(NodeKind::kNot);
  take();
  node->kids.push_back(negation());
  return node;
}

NodePtr ExpressionParser::comparison() {
  NodePtr first = sum();
  NodePtr node;
  while (true) {
    std::string sign;
    if (now().kind == TokenKind::kOperator &&
        (now().text == "==" || now().text == "!=" || now().text == "<" || now().text == "<=" ||
         now().text == ">" || now().text == ">=")) {
      sign = take().text;
    } else if (skip_name("in")) {
      sign = "in";
    } else if (is_name("not") && next().kind == TokenKind::kName && next().text == "in") {
      take();
      take();
      sign = "not in";
    } else {
      return node ? std::move(node) : std::move(first);
    }
    if (!node) {
      node = make(NodeKind::kCompare);
      node->kids.push_back(std::move(first));
    }
    node->names.push_back(std::move(sign));
    node->kids.push_back(sum());
  }
}

NodePtr ExpressionParser::binary(NodePtr left, NodePtr right, std::string text, Place place) const {
  NodePtr node = make(NodeKind::kBinary, std::move(text));
  node->place = place;
  node->kids.push_back(std::move(left));
  node->kids.push_back(std::move(right));
  return node;
}

NodePtr ExpressionParser::sum() {
  NodePtr left = concatenation();
  while (is_operator("+") || is_operator("-")) {
    const Token sign = take();
    left = binary(std::move(left), concatenation(), sign.text, sign.place);
  }
  return left;
}

NodePtr ExpressionParser::concatenation() {
  NodePtr first = product();
  if (!is_operator("~")) return first;
  NodePtr node = make(NodeKind::kConcat);
  node->kids.push_back(std::move(first));
  while (skip_operator("~")) node->kids.push_back(product());
  return node;
}

NodePtr ExpressionParser::product() {
  NodePtr left = power();
  while (is_operator("*") || is_operator("/") || is_operator("//") || is_operator("%")) {
    const Token sign = take();
    left = binary(std::move(left), power(), sign.text, sign.place);
  }
  return left;
}

NodePtr ExpressionParser::power() {
  NodePtr left = unary(true);
  while (is_operator("**")) {
    const Token sign = take();
    left = binary(std::move(left), unary(true), sign.text, sign.place);
  }
  return left;
}

NodePtr ExpressionParser::unary(bool with_filter) {
  NodePtr node;
  if (is_operator("-") || is_operator("+")) {
    const Deeper deeper(*this);
    node = make(is_operator("-") ? NodeKind::kNegative : NodeKind::kPositive);
    take();
    node->kids.push_back(unary(false));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  if (!with_filter) return node;
  while (true) {
    if (is_operator("|")) {
      node = filters(std::move(node));
    } else if (is_name("is")) {
      node = test(std::move(node));
    } else if (is_operator("(") || is_operator(".") || is_operator("[")) {
      node = postfix(std::move(node));
    } else {
      return node;
    }
  }
}

NodePtr ExpressionParser::name_or_constant() {
  NodePtr node = make(NodeKind::kConst);
  const std::string name = take().text;
  if (name == "true" || name == "True") {
    node->value = Value(true);
  } else if (name == "false" || name == "False") {
    node->value = Value(false);
  } else if (name == "none" || name == "None") {
    node->value = Value::none();
  } else {
    node->kind = NodeKind::kName;
    node->text = name;
  }
  return node;
}

NodePtr ExpressionParser::primary() {
  NodePtr node = make(NodeKind::kConst);
  switch (now().kind) {
    case TokenKind::kName:
      return name_or_constant();
    case TokenKind::kString: {
      std::string text = take().text;
      while (now().kind == TokenKind::kString) text += take().text;
      node->value = Value(std::move(text));
      return node;
    }
    case TokenKind::kInteger: {
      const std::string text = now().text;
      int64_t value = 0;
      const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
      if (end.ec != std::errc()) fail_at(node->place, "The number " + text + " is too large.");
      take();
      node->value = Value(value);
      return node;
    }
    case TokenKind::kFloat: {
      const std::string text = take().text;
      double value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      node->value = Value(value);
      return node;
    }
    default:
      return bracketed();
  }
}

NodePtr ExpressionParser::bracketed() {
  if (is_operator("{")) return dict();
  if (is_operator("[")) {
    NodePtr list = make(NodeKind::kList);
    take();
    while (!skip_operator("]")) {
      list->kids.push_back(expression());
      if (!is_operator("]")) want_operator(",");
    }
    return list;
  }
  if (!is_operator("(")) unexpected("an expression");
  NodePtr tuple = make(NodeKind::kTuple);
  take();
  if (skip_operator(")")) return tuple;
  NodePtr inner = expression_or_tuple();
  want_operator(")");
  return inner;
}

NodePtr ExpressionParser::dict() {
  NodePtr node = make(NodeKind::kDict);
  take();
  while (!skip_operator("}")) {
    node->kids.push_back(expression());
    want_operator(":");
    node->kids.push_back(expression());
    if (!is_operator("}")) want_operator(",");
  }
  return node;
}

NodePtr ExpressionParser::postfix(NodePtr node) {
  while (true) {
    if (is_operator(".")) {
      take();
      NodePtr attribute = make(NodeKind::kAttribute);
      if (now().kind == TokenKind::kInteger) {
        attribute->kind = NodeKind::kItem;
        attribute->kids.push_back(std::move(node));
        attribute->kids.push_back(primary());
      } else {
        attribute->text = take_name("the name of an attribute");
        attribute->kids.push_back(std::move(node));
      }
      node = std::move(attribute);
    } else if (is_operator("[")) {
      node = subscript(std::move(node));
    } else if (is_operator("(")) {
      NodePtr call = make(NodeKind::kCall);
      take();
      call->kids.push_back(std::move(node));
      arguments(*call);
      node = std::move(call);
    } else {
      return node;
    }
  }
}

NodePtr ExpressionParser::subscript(NodePtr object) {
  NodePtr node = make(NodeKind::kItem);
  take();
  node->kids.push_back(std::move(object));
  const auto ends_part = [&] { return is_operator(":") || is_operator("]"); };
  node->kids.push_back(ends_part() ? nullptr : expression());
  if (is_operator(",")) fail_at(now().place, "A subscript with a comma is not supported.");
  if (is_operator(":")) {
    node->kind = NodeKind::kSlice;
    for (int part = 0; part < 2; ++part) {
      const bool present = skip_operator(":");
      node->kids.push_back(present && !ends_part() ? expression() : nullptr);
    }
  } else if (!node->kids[1]) {
    unexpected("a subscript");
  }
  want_operator("]");
  return node;
}

void ExpressionParser::arguments(Node& call) {
  bool keywords = false;
  while (!skip_operator(")")) {
    if (is_operator("*") || is_operator("**")) {
      fail_at(now().place, "Calling with * or ** is not supported.", base::Code::kUnimplemented);
    }
    if (now().kind == TokenKind::kName && next().kind == TokenKind::kOperator &&
        next().text == "=") {
      NodePtr keyword = make(NodeKind::kKeyword);
      keyword->text = take().text;
      take();
      keyword->kids.push_back(expression());
      call.kids.push_back(std::move(keyword));
      keywords = true;
    } else if (keywords) {
      fail_at(now().place, "An argument without a name stands after one with a name.");
    } else {
      call.kids.push_back(expression());
    }
    if (!is_operator(")")) want_operator(",");
  }
}

NodePtr ExpressionParser::filter(NodePtr input) {
  NodePtr node = make(NodeKind::kFilter);
  node->text = take_name("the name of a filter");
  while (skip_operator(".")) node->text += "." + take_name("the name of a filter");
  node->kids.push_back(std::move(input));
  if (skip_operator("(")) arguments(*node);
  return node;
}

NodePtr ExpressionParser::filters(NodePtr input) {
  while (skip_operator("|")) input = filter(std::move(input));
  return input;
}

NodePtr ExpressionParser::test(NodePtr input) {
  NodePtr node = make(NodeKind::kTest);
  take();  // "is"
  node->flag = skip_name("not");
  node->text = take_name("the name of a test");
  node->kids.push_back(std::move(input));
  if (skip_operator("(")) {
    arguments(*node);
    return node;
  }
  const bool begins_value = now().kind == TokenKind::kName || now().kind == TokenKind::kString ||
                            now().kind == TokenKind::kInteger || now().kind == TokenKind::kFloat ||
                            is_operator("[") || is_operator("{");
  if (begins_value && !is_name("else") && !is_name("or") && !is_name("and")) {
    if (is_name("is")) fail_at(now().place, "Tests cannot follow each other with \"is\".");
    // "x is divisibleby 3": in tags such as {% if x is string %} nothing follows.
    const bool keyword = is_name("if") || is_name("not") || is_name("in");
    if (!keyword) node->kids.push_back(postfix(primary()));
  }
  return node;
}

NodePtr ExpressionParser::target() {
  const auto one = [&] {
    NodePtr name = make(NodeKind::kName);
    name->text = take_name("the name of a variable");
    return name;
  };
  const bool brackets = skip_operator("(");
  NodePtr first = one();
  if (!brackets && is_operator(".")) {
    NodePtr attribute = make(NodeKind::kAttribute);
    take();
    attribute->text = take_name("the name of an attribute");
    attribute->kids.push_back(std::move(first));
    return attribute;
  }
  if (is_operator(",")) {
    NodePtr tuple = make(NodeKind::kTuple);
    tuple->kids.push_back(std::move(first));
    while (skip_operator(",")) tuple->kids.push_back(one());
    first = std::move(tuple);
  }
  if (brackets) want_operator(")");
  return first;
}

void ExpressionParser::parameters(Node& macro) {
  want_operator("(");
  while (!skip_operator(")")) {
    macro.names.push_back(take_name("the name of a parameter"));
    macro.kids.push_back(skip_operator("=") ? expression() : nullptr);
    if (!is_operator(")")) want_operator(",");
  }
}

}  // namespace mortise::engine::jinja
