// Statements: the tags between {% and %}. A tag of Jinja that this subset leaves out (include,
// import, extends, block, do, ...) is refused by name.
#include "engine/template/parser.h"

#include <initializer_list>

namespace mortise::engine::jinja {
namespace {

using TokenKind = Token::Kind;

class StatementParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  NodePtr whole() {
    NodePtr root = body({});
    if (now().kind != TokenKind::kEnd) {
      fail_at(next().place, "The tag {% " + next().text + " %} closes nothing that is open.");
    }
    return root;
  }

 private:
  // Up to a tag named in `ends` (left unread, at its "{%") or the end of the template.
  NodePtr body(std::initializer_list<std::string_view> ends) {
    const Deeper deeper(*this);
    NodePtr node = make(NodeKind::kBody);
    while (true) {
      switch (now().kind) {
        case TokenKind::kText: {
          NodePtr text = make(NodeKind::kText);
          text->text = take().text;
          node->kids.push_back(std::move(text));
          break;
        }
        case TokenKind::kOutputBegin: {
          NodePtr output = make(NodeKind::kOutput);
          take();
          output->kids.push_back(expression_or_tuple());
          if (now().kind != TokenKind::kOutputEnd) unexpected("\"}}\"");
          take();
          node->kids.push_back(std::move(output));
          break;
        }
        case TokenKind::kBlockBegin:
          if (closes(ends)) return node;
          take();
          node->kids.push_back(statement());
          break;
        default:
          if (ends.size() > 0) {
            fail_at(node->place, "A tag is never closed: {% " + std::string(*(ends.end() - 1)) +
                                     " %} is missing.");
          }
          return node;
      }
    }
  }

  bool closes(std::initializer_list<std::string_view> ends) const {
    if (next().kind != TokenKind::kName) return false;
    for (const std::string_view end : ends) {
      if (next().text == end) return true;
    }
    return next().text.starts_with("end") || next().text == "else" || next().text == "elif";
  }

  void end_tag() {
    if (now().kind != TokenKind::kBlockEnd) unexpected("\"%}\"");
    take();
  }
  // "{% name %}" right here.
  void closing_tag(std::string_view name) {
    if (now().kind != TokenKind::kBlockBegin) unexpected("{% " + std::string(name) + " %}");
    take();
    want_name(name);
    if (now().kind == TokenKind::kName) take();  // {% endmacro show %}
    end_tag();
  }
  bool at_tag(std::string_view name) const {
    return now().kind == TokenKind::kBlockBegin && next().kind == TokenKind::kName &&
           next().text == name;
  }

  NodePtr statement() {
    const Place place = now().place;
    const std::string name = take_name("the name of a tag");
    NodePtr node;
    if (name == "if") {
      node = if_tag();
    } else if (name == "for") {
      node = for_tag();
    } else if (name == "set") {
      node = set_tag();
    } else if (name == "macro") {
      node = macro_tag();
    } else if (name == "call") {
      node = call_tag();
    } else if (name == "filter") {
      node = filter_tag();
    } else if (name == "with") {
      node = with_tag();
    } else if (name == "generation") {
      node = make(NodeKind::kGeneration);
      end_tag();
      node->kids.push_back(body({"endgeneration"}));
      closing_tag("endgeneration");
    } else if (name == "break" || name == "continue") {
      if (loops_ == 0) fail_at(place, "{% " + name + " %} stands outside of a loop.");
      node = make(name == "break" ? NodeKind::kBreak : NodeKind::kContinue);
      end_tag();
    } else {
      fail_at(place, "The tag {% " + name + " %} is not supported in chat templates.",
              base::Code::kUnimplemented);
    }
    node->place = place;
    return node;
  }

  NodePtr if_tag() {
    NodePtr node = make(NodeKind::kIf);
    while (true) {
      node->kids.push_back(expression_or_tuple());
      end_tag();
      node->kids.push_back(body({"elif", "else", "endif"}));
      if (!at_tag("elif")) break;
      take();
      take();
    }
    if (at_tag("else")) {
      closing_tag("else");
      node->kids.push_back(body({"endif"}));
    }
    closing_tag("endif");
    return node;
  }

  NodePtr for_tag() {
    NodePtr node = make(NodeKind::kFor);
    node->kids.push_back(target());
    want_name("in");
    node->kids.push_back(expression_or_tuple(/*with_condition=*/false));
    node->kids.push_back(skip_name("if") ? expression() : nullptr);
    node->flag = skip_name("recursive");
    end_tag();
    ++loops_;
    node->kids.push_back(body({"else", "endfor"}));
    --loops_;
    if (at_tag("else")) {
      closing_tag("else");
      node->kids.push_back(body({"endfor"}));
    } else {
      node->kids.push_back(nullptr);
    }
    closing_tag("endfor");
    return node;
  }

  NodePtr set_tag() {
    NodePtr node = make(NodeKind::kSet);
    node->kids.push_back(target());
    if (skip_operator("=")) {
      node->kids.push_back(expression_or_tuple());
      end_tag();
      return node;
    }
    node->kind = NodeKind::kSetBlock;
    std::vector<NodePtr> chain;
    while (skip_operator("|")) chain.push_back(filter(nullptr));
    end_tag();
    node->kids.push_back(body({"endset"}));
    for (NodePtr& one : chain) node->kids.push_back(std::move(one));
    closing_tag("endset");
    return node;
  }

  NodePtr macro_tag() {
    NodePtr node = make(NodeKind::kMacro, take_name("the name of the macro"));
    parameters(*node);
    end_tag();
    const int outside = std::exchange(loops_, 0);
    node->kids.push_back(body({"endmacro"}));
    loops_ = outside;
    closing_tag("endmacro");
    return node;
  }

  NodePtr call_tag() {
    NodePtr node = make(NodeKind::kCallBlock);
    node->kids.push_back(nullptr);
    if (is_operator("(")) parameters(*node);
    node->kids[0] = expression();
    if (node->kids[0]->kind != NodeKind::kCall) unexpected("a call");
    end_tag();
    node->kids.push_back(body({"endcall"}));
    closing_tag("endcall");
    return node;
  }

  NodePtr filter_tag() {
    NodePtr node = make(NodeKind::kFilterBlock);
    std::vector<NodePtr> chain;
    do {
      chain.push_back(filter(nullptr));
    } while (skip_operator("|"));
    end_tag();
    node->kids.push_back(body({"endfilter"}));
    for (NodePtr& one : chain) node->kids.push_back(std::move(one));
    closing_tag("endfilter");
    return node;
  }

  NodePtr with_tag() {
    NodePtr node = make(NodeKind::kWith);
    while (now().kind != TokenKind::kBlockEnd) {
      node->kids.push_back(target());
      want_operator("=");
      node->kids.push_back(expression());
      if (now().kind != TokenKind::kBlockEnd) want_operator(",");
    }
    end_tag();
    node->kids.push_back(body({"endwith"}));
    closing_tag("endwith");
    return node;
  }

  int loops_ = 0;
};

}  // namespace

NodePtr parse_tree(std::string_view source, int depth_max) {
  return StatementParser(read_tokens(source), depth_max).whole();
}

}  // namespace mortise::engine::jinja
