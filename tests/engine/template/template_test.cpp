// The template language, feature by feature, and its refusals.
#include "engine/template/template.h"

#include <gtest/gtest.h>

#include <utility>

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

std::string rendered(std::string_view source, const Json& variables = Json::object()) {
  const auto parsed = Template::parse(source);
  if (!parsed.ok()) return "parse error: " + parsed.error().message;
  const auto result = parsed->render(variables, LocalTime{.year = 2026, .month = 1, .day = 5});
  return result.ok() ? result->text : "error: " + result.error().message;
}

base::Error error_of(std::string_view source, const TemplateLimits& limits = {}) {
  const auto parsed = Template::parse(source, limits);
  if (!parsed.ok()) return parsed.error();
  const auto result = parsed->render(Json::object());
  if (!result.ok()) return result.error();
  ADD_FAILURE() << source << " gave " << result->text;
  return base::Error(Code::kOk, "no error");
}

TEST(Template, GivesTheTextOfPython) {
  const std::pair<const char*, const char*> cases[] = {
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 }}", "3 -4 2 3.5 8"},
      {"{{ [1, 'b', none, true, 1.0] }} {{ {'k': \"it's\"} }} {{ (1,) }}",
       "[1, 'b', None, True, 1.0] {'k': \"it's\"} (1,)"},
      {"{{ 1e16 }} {{ 0.1 }} {{ 1e-5 }} {{ 123456789.0 }}", "1e+16 0.1 1e-05 123456789.0"},
      {"{{ 'héllo'[1:-1] }} {{ 'abc'[::-1] }} {{ 'abc'[-1] }} {{ 'hé' | length }}", "éll cba c 2"},
      {"{{ ' a b '.strip() }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'xxax'.lstrip('x') }}",
       "a b|['a', 'b,c']|ax"},
      {"{{ 'a' in 'abc' }} {{ 1 not in [2] }} {{ 1 < 2 < 3 }} {{ not 1 }}", "True True True False"},
      {"{{ 'yes' if 0 else 'no' }}{{ 'x' if 0 }}", "no"},
      {"{{ [3, 1, 2] | sort | join('-') }} {{ 'b' ~ 1 ~ none }}", "1-2-3 b1None"},
      {"{{ {'b': [1, {'a': 'ü'}]} | tojson }}", "{\"b\": [1, {\"a\": \"ü\"}]}"},
      {"{{ strftime_now('%d %B %Y %-d %A') }}", "05 January 2026 5 Monday"},
      {"{{ '%s=%d' % ('a', 3) }} {{ 'a{}b{x}'.format(1, x=2) }}", "a=3 a1b2"},
      {"{{ 'x' is defined and y is not defined and 3 is divisibleby 3 }}", "True"},
      {"{{ undefined_name }}[{{ undefined_name | default('d') }}]", "[d]"},
  };
  for (const auto& [source, expected] : cases) {
    EXPECT_EQ(rendered(source), expected) << source;
  }
}

TEST(Template, EscapesAsMarkupsafeDoes) {
  EXPECT_EQ(rendered("{{ \"<it's & 'x'>\" | escape }}{{ '\"' | e }}"),
            "&lt;it&#39;s &amp; &#39;x&#39;&gt;&#34;");
}

TEST(Template, TrimsBlocksAsTransformersSetsItUp) {
  EXPECT_EQ(rendered("a\n  {% if true %}\nb\n  {% endif %}\nc\n"), "a\nb\nc");
  EXPECT_EQ(rendered("a\n  {{ 1 }}\nb"), "a\n  1\nb");
  EXPECT_EQ(rendered("a \n {%- if true -%} \n b{% endif %}"), "ab");
  EXPECT_EQ(rendered("a\n  {%+ if true +%}\nb{% endif %}"), "a\n  \nb");
  EXPECT_EQ(rendered("{# gone #}\nx{% raw %}{{ y }}{% endraw %}"), "x{{ y }}");
}

TEST(Template, ScopesLoopsAndMacrosAsJinjaDoes) {
  EXPECT_EQ(
      rendered("{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 9 %}{% endfor %}{{ x }}"),
      "111");
  EXPECT_EQ(rendered("{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i %}"
                     "{% endfor %}{{ ns.n }}"),
            "3");
  EXPECT_EQ(
      rendered("{% macro m(a, b='z') %}<{{ a }}{{ b }}>{% endmacro %}{{ m(1) }}{{ m(b=2, a=3) }}"),
      "<1z><32>");
  EXPECT_EQ(rendered("{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}"),
            "[in]");
  EXPECT_EQ(rendered("{% for a, b in {'x': 1, 'y': 2}.items() if b > 1 %}{{ a }}{{ loop.length }}"
                     "{{ loop.last }}{% else %}none{% endfor %}"),
            "y1True");
  EXPECT_EQ(
      rendered("{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}"
               "{% break %}{% endif %}{{ i }}{% endfor %}"),
      "023");
  EXPECT_EQ(rendered("{% for i in [1, [2, [3]]] recursive %}{{ i if i is number else loop(i) }}"
                     "{% endfor %}"),
            "123");
  EXPECT_EQ(rendered("{% set t %} a {% endset %}{{ t | trim }}{% filter upper %}b{% endfilter %}"
                     "{% with q = 1 %}{{ q }}{% endwith %}"),
            "aB1");
}

TEST(Template, PrefersMethodsOverKeysAndItemsOverMethods) {
  const Json variables = *base::parse_json(R"({"m": {"items": 5, "name": "n"}})");
  EXPECT_EQ(rendered("{{ m['items'] }} {{ m.items() | list | length }} {{ m.name }} {{ m.nope }}|",
                     variables),
            "5 2 n |");
}

TEST(Template, MarksGenerationBlocks) {
  const auto parsed = Template::parse("ab{% generation %}cd{% endgeneration %}e");
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed->has_generation_blocks());
  const auto result = parsed->render(Json::object());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->text, "abcde");
  ASSERT_EQ(result->generation.size(), 1u);
  EXPECT_EQ(result->generation[0], (ByteSpan{2, 4}));
}

TEST(Template, NamesWhatItDoesNotKnowWithItsPlace) {
  const base::Error tag = error_of("x\n {% include 'a' %}");
  EXPECT_EQ(tag.code, Code::kUnimplemented);
  EXPECT_NE(tag.message.find("line 2, column 5"), std::string::npos) << tag.message;
  EXPECT_NE(tag.message.find("include"), std::string::npos);
  const base::Error filter = error_of("{{ 1 | xmlattr }}");
  EXPECT_EQ(filter.code, Code::kUnimplemented);
  EXPECT_NE(filter.message.find("xmlattr"), std::string::npos);
  EXPECT_EQ(error_of("{{ 1 is prime }}").code, Code::kUnimplemented);
}

TEST(Template, RefusesWhatPythonRefuses) {
  const char* const cases[] = {"{{ 'a' + 1 }}",
                               "{{ 'a' + [1] }}",
                               "{{ nope.name }}",
                               "{{ [1].replace('a', 'b') }}",
                               "{{ 1 / 0 }}",
                               "{{ 'a' < 1 }}",
                               "{% for x in 3 %}{% endfor %}",
                               "{{ raise_exception('no') }}",
                               "{% set a, b = [1] %}",
                               "{{ nope() }}",
                               "{{ nope | tojson }}"};
  for (const char* source : cases)
    EXPECT_EQ(error_of(source).code, Code::kInvalidArgument) << source;
}

TEST(Template, RefusesBadSyntaxWithItsPlace) {
  const char* const cases[] = {"{% if 1 %}",      "{{ 1 +  }}", "{{ 'a }}",        "{% endif %}",
                               "{{ (1 }}",        "{# open",    "{% for in x %}",  "{% break %}",
                               "{{ f(a=1, 2) }}", "{{ a[ ] }}", "{% set 1 = 2 %}", "{% raw %}x"};
  for (const char* source : cases) {
    const base::Error error = error_of(source);
    EXPECT_EQ(error.code, Code::kInvalidArgument) << source;
    EXPECT_NE(error.message.find("line 1"), std::string::npos) << source << ": " << error.message;
  }
}

TEST(Template, ReachesNothingOfTheHost) {
  EXPECT_EQ(error_of("{{ ''.__class__ }}").code, Code::kInvalidArgument);
  EXPECT_EQ(error_of("{{ [].append(1) }}").code, Code::kInvalidArgument);
  EXPECT_EQ(error_of("{{ {'a': 1}.update({}) }}").code, Code::kInvalidArgument);
  EXPECT_EQ(error_of("{{ cycler('a').next() }}").code, Code::kInvalidArgument);
}

TEST(Template, BoundsWorkDepthAndOutput) {
  const std::string loops =
      "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
  EXPECT_EQ(error_of(loops).code, Code::kResourceExhausted);
  EXPECT_EQ(error_of("{{ 'a' * 999999999999 }}").code, Code::kResourceExhausted);
  EXPECT_EQ(error_of("{{ [0] * 999999999999 }}").code, Code::kResourceExhausted);
  EXPECT_EQ(error_of("{{ range(999999999) }}").code, Code::kResourceExhausted);
  EXPECT_EQ(error_of("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").code,
            Code::kResourceExhausted);
  EXPECT_EQ(error_of("{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}").code,
            Code::kResourceExhausted);
  EXPECT_EQ(error_of(std::string(70000, 'x')).code, Code::kResourceExhausted);
  EXPECT_EQ(
      error_of("{% for i in range(9) %}0123456789{% endfor %}", {.output_bytes_max = 50}).code,
      Code::kResourceExhausted);
}

}  // namespace
}  // namespace mortise::engine
