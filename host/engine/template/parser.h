// The parser's two halves: statements (parser.cpp) build on expressions (expression.cpp).
#pragma once

#include <string_view>
#include <vector>

#include "engine/template/ast.h"
#include "engine/template/lexer.h"

namespace mortise::engine::jinja {

// Jinja's grammar of expressions, over tokens. Throws TemplateFailure with the place.
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, int depth_max)
      : tokens_(std::move(tokens)), depth_max_(depth_max) {}

 protected:
  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is_operator(std::string_view text) const {
    return now().kind == Token::Kind::kOperator && now().text == text;
  }
  bool is_name(std::string_view text) const {
    return now().kind == Token::Kind::kName && now().text == text;
  }
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void want_operator(std::string_view text);
  void want_name(std::string_view text);
  std::string take_name(std::string_view what);
  [[noreturn]] void unexpected(std::string_view wanted) const;

  NodePtr make(NodeKind kind, std::string text = {}) const;
  NodePtr expression(bool with_condition = true);
  // One expression, or several with commas as a tuple.
  NodePtr expression_or_tuple(bool with_condition = true);
  NodePtr target();                // name, tuple of names, or namespace attribute
  NodePtr filters(NodePtr input);  // any number of "| name(...)"
  NodePtr filter(NodePtr input);   // "name(...)"
  void arguments(Node& call);      // after "("
  // "(a, b=1)" of a macro; defaults go to kids.
  void parameters(Node& macro);

  // Counts nesting; throws RESOURCE_EXHAUSTED when it is too deep.
  class Deeper {
   public:
    explicit Deeper(ExpressionParser& parser);
    ~Deeper() { --parser_.depth_; }

   private:
    ExpressionParser& parser_;
  };

 private:
  NodePtr condition();
  NodePtr either();
  NodePtr both();
  NodePtr negation();
  NodePtr comparison();
  NodePtr sum();
  NodePtr concatenation();
  NodePtr product();
  NodePtr power();
  NodePtr unary(bool with_filter);
  NodePtr primary();
  NodePtr name_or_constant();
  NodePtr bracketed();
  NodePtr dict();
  NodePtr postfix(NodePtr node);
  NodePtr subscript(NodePtr node);
  NodePtr test(NodePtr node);
  NodePtr binary(NodePtr left, NodePtr right, std::string text, Place place) const;

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int depth_max_;
};

}  // namespace mortise::engine::jinja
