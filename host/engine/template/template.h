// Chat templates: a bounded subset of Jinja2, as transformers sets it up (trim_blocks,
// lstrip_blocks, loop controls, generation tags). A template is text from strangers: it reaches
// only the variables it is given and a fixed table of filters, tests and methods; steps, depth and
// output are bounded. Called by engine/template/chat and `mortise template render`. Knows nothing
// of messages or tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mortise::engine {

struct TemplateLimits {
  size_t source_bytes_max = 64 << 10;
  int depth_max = 64;                  // nesting of tags, brackets and calls
  uint64_t steps_max = 4'000'000;      // about one a node visited or item made
  size_t output_bytes_max = 64 << 20;  // also of any text on the way
};

// What strftime_now() sees: a local date and time.
struct LocalTime {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

struct ByteSpan {
  size_t begin = 0, end = 0;
  bool operator==(const ByteSpan&) const = default;
};

struct Rendering {
  std::string text;
  std::vector<ByteSpan> generation;  // of {% generation %} blocks, in order
  bool generation_hidden = false;    // such a block ran where its place is not known (in a macro)
};

class Template {  // [any] once parsed
 public:
  // Errors: INVALID_ARGUMENT for bad syntax, UNIMPLEMENTED for a tag outside the subset, both with
  // line and column; RESOURCE_EXHAUSTED over a limit.
  static base::Result<Template> parse(std::string_view source, const TemplateLimits& limits = {});

  // variables: an object. now: absent means that strftime_now is refused. Errors: INVALID_ARGUMENT
  // with line and column (raise_exception's text, a wrong type, use of an undefined value);
  // UNIMPLEMENTED naming the filter, test or function; RESOURCE_EXHAUSTED over a limit.
  base::Result<Rendering> render(const base::Json& variables,
                                 const std::optional<LocalTime>& now = std::nullopt) const;

  bool has_generation_blocks() const;

  struct Tree;

 private:
  explicit Template(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const Tree> tree_;
};

}  // namespace mortise::engine
